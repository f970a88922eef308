"""Segment one scan with the exported model, on the scan's own grid, before postprocessing."""

from ctseg.shared_process import segment
from job import job

with job(snakemake) as log:
    step, found, written = snakemake.params.step, snakemake.input, snakemake.output
    task = {
        **{name: found[name] for name in ("image", "model", "inference")},
        **{name: found.get(name, "") for name in ("int8", "lungs", "lungs_facts")},
        **{name: written.get(name, "") for name in ("prediction", "candidates", "certainty", "uncertainty")},
        **{name: step[name] for name in ("engine", "memory_gib", "batch_size")},
        "threads": snakemake.threads,
    }
    log.info("%s", segment(task, snakemake.resources.get("cases_per_job", 1), snakemake.params.code))
