"""Segment one scan with the exported model, on the scan's own grid, before postprocessing."""

from ctseg.inference.case_settings import settings_of
from ctseg.inference.engine_server import segment
from job import job

MAPS = ("prediction", "low_threshold", "probability", "uncertainty", "uncertainty_of_found")

with job(snakemake) as log:
    params, found, written = snakemake.params.settings, snakemake.input, snakemake.output
    task = {
        **{name: found[name] for name in ("image", "model", "inference")},
        **settings_of(params, snakemake.resources, snakemake.threads),
        **{name: found.get(name, "") for name in ("int8", "lungs", "lungs_facts")},
        **{name: written.get(name, "") for name in MAPS},
    }
    log.info("%s", segment(task, snakemake.resources.cases_per_job, snakemake.params.code))
