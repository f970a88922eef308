"""Segment a case with the model that was not trained on it, and try thresholds and postprocessing."""

from ctseg.files import read_json, write_table
from ctseg.inference.case_settings import settings_of
from ctseg.inference.engine_server import segment
from ctseg.lungs.plausibility import plausible_lungs
from ctseg.scans.nifti import read_nifti
from ctseg.tuning.threshold_scores import COLUMNS, score_rows
from job import job

with job(snakemake) as log:
    params, found, written = snakemake.params.settings, snakemake.input, snakemake.output
    task = {
        **{name: found[name] for name in ("image", "model")},
        **{name: found.get(name, "") for name in ("lungs", "lungs_facts")},
        **{name: written[name] for name in ("low_threshold", "probability")},
        **settings_of(params, snakemake.resources, snakemake.threads),
    }
    log.info("%s", segment(task, snakemake.resources.cases_per_job, snakemake.params.code))
    maps = read_nifti(written.low_threshold), read_nifti(written.probability)
    lungs = plausible_lungs(found.get("lungs"), found.get("lungs_facts"))
    judged = read_nifti(found.label), lungs, read_json(found.plan), params["postprocess"], params["labels"]
    rows = list(score_rows(snakemake.wildcards.case, maps, *judged))
    log.info("%d scores", len(rows))
    write_table(written.scores, COLUMNS, rows)
