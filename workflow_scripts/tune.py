"""Choose threshold and postprocessing by their results on out-of-fold cases; values given in the config are kept."""

from ctseg.files import read_json, write_json, write_text
from ctseg.jobs.refusals import admitted
from ctseg.tuning.threshold_choice import tuned
from job import job

with job(snakemake) as log:
    scores = admitted(snakemake.input.get("scores", []), "to choose a threshold on")
    made, tried = tuned(snakemake.params.settings["postprocess"], read_json(snakemake.input.plan), scores)
    for name, decision in made.items():
        log.info("%s: %s (%s)", name, decision["value"], decision["reason"])
    write_text(snakemake.output.tried, tried.to_csv(sep="\t", index=False, float_format="%.6g"))
    write_json(snakemake.output.postprocessing, made)
