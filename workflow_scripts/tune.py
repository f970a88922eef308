"""Choose threshold and postprocessing from the cases that were not trained on; what the config gives, stays."""

import pandas as pd

from ctseg.files import read_json, write_json, write_text
from ctseg.tuning import KEYS, candidates, choose, cleaning
from job import job

with job(snakemake) as log:
    wanted = snakemake.params.step["postprocess"]
    decisions = read_json(snakemake.input.plan)
    tried = candidates(wanted, decisions["smallest_component_mm3"]["value"])
    chosen, dice, n_cases = tried[0], None, 0
    tables = [pd.read_csv(path, sep="\t", dtype={"case": str}) for path in snakemake.input.get("scores", [])]
    summary = pd.DataFrame(columns=[*KEYS, "dice"])
    if tables:
        table = pd.concat(tables)
        chosen, summary = choose(table, tried)
        dice = float(summary.set_index(KEYS).loc[tuple(vars(chosen).values()), "dice"])
        n_cases = table["case"].nunique()
    made = cleaning(wanted, decisions["region"]["value"], chosen, dice, n_cases)
    for name, decision in made.items():
        log.info("%s: %s (%s)", name, decision["value"], decision["reason"])
    write_text(snakemake.output.tried, summary.to_csv(sep="\t", index=False, float_format="%.6g"))
    write_json(snakemake.output.cleaning, made)
