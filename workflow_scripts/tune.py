"""Choose threshold and postprocessing from the cases that were not trained on; what the config gives, stays."""

import pandas as pd

from ctseg.decisions import decided
from ctseg.files import read_json, write_json, write_text
from ctseg.jobs.refusals import admitted
from ctseg.tuning.thresholds import candidates, choose, cleaning
from job import job

with job(snakemake) as log:
    wanted = snakemake.params.settings["postprocess"]
    decisions = read_json(snakemake.input.plan)
    tried = candidates(wanted, decided(decisions, "smallest_component_mm3"))
    chosen, dice, n_cases = tried[0], None, 0
    summary = pd.DataFrame(map(vars, tried)).assign(dice=float("nan"))
    used = admitted(snakemake.input.get("scores", []), "to choose a threshold on")
    scores = [pd.read_csv(path, sep="\t", dtype={"case": str}) for path in used]
    if scores:
        table = pd.concat(scores)
        chosen, summary["dice"] = choose(table.to_dict("records"), tried)
        dice, n_cases = float(summary["dice"][tried.index(chosen)]), table["case"].nunique()
    made = cleaning(wanted, decided(decisions, "region"), chosen, dice, n_cases)
    for name, decision in made.items():
        log.info("%s: %s (%s)", name, decision["value"], decision["reason"])
    summary = summary.sort_values("dice", ascending=False, kind="stable")
    write_text(snakemake.output.tried, summary.to_csv(sep="\t", index=False, float_format="%.6g"))
    write_json(snakemake.output.cleaning, made)
