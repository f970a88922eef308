"""Segment one scan with the exported model, on the scan's own grid, before postprocessing."""

from ctseg.engines import OnnxRuntimeEngine
from ctseg.lungs import plausible_lungs
from ctseg.predict import infer
from ctseg.volume import read_nifti, write_nifti
from job import job

with job(snakemake) as log:
    engine = OnnxRuntimeEngine(snakemake.input.model, snakemake.threads)
    lungs = plausible_lungs(snakemake.input.get("lungs"), snakemake.input.get("lungs_facts"))
    prediction = infer(read_nifti(snakemake.input.image), lungs, engine, snakemake.params.step["batch_size"])
    log.info("%s: %d voxels of a target", engine.name, (prediction.voxels_zyx > 0).sum())
    write_nifti(prediction, snakemake.output.prediction)
