"""Measure the changes of a case's segmentation when the network's grid is shifted by half a voxel."""

from ctseg.evaluation.stability import COLUMNS, stability, told
from ctseg.files import write_table
from ctseg.inference.case_settings import settings_of
from ctseg.inference.case_task import CaseTask, engine_for
from ctseg.lungs.plausibility import plausible_lungs
from ctseg.scans.nifti import read_nifti
from job import job

with job(snakemake) as log:
    params, source = snakemake.params.settings, snakemake.input
    task = CaseTask(
        **{name: source[name] for name in ("image", "model", "inference")},
        **{name: source.get(name, "") for name in ("int8", "lungs", "lungs_facts")},
        **settings_of(params, snakemake.resources, snakemake.threads),
    )
    engine, image, segmentation = engine_for(task), read_nifti(task.image), read_nifti(source.segmentation)
    field = read_nifti(task.lungs) if task.lungs else None
    plausible = plausible_lungs(task.lungs or None, task.lungs_facts or None) is not None
    how = {name: getattr(task, name) for name in ("memory_gib", "gpu_memory_gib", "batch_size")}
    rows = stability(segmentation, image, field, plausible, engine, **how)
    for row in rows:
        log.info("%s", told(row))
    case = snakemake.wildcards.case
    write_table(snakemake.output.stability, {"case": "", **COLUMNS}, [{"case": case, **row} for row in rows])
