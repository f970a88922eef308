"""Segment one scan with the exported model, on the scan's own grid, before postprocessing."""

from ctseg.decisions import decided
from ctseg.engines import load_engine
from ctseg.files import read_json
from ctseg.lungs import plausible_lungs
from ctseg.predict import infer
from ctseg.volume import read_nifti, write_nifti
from job import job

with job(snakemake) as log:
    step = snakemake.params.step
    int8 = decided(read_json(snakemake.input.inference), "precision") == "int8"
    # A model that was trained elsewhere may be one of 8-bit integers itself.
    model = snakemake.input.get("int8", snakemake.input.model) if int8 else snakemake.input.model
    engine = load_engine(model, snakemake.threads, step["engine"])
    lungs = plausible_lungs(snakemake.input.get("lungs"), snakemake.input.get("lungs_facts"))
    maps = infer(
        read_nifti(snakemake.input.image),
        lungs,
        engine,
        memory_gib=step["memory_gib"],
        certainty=step["probabilities"],
        entropy=step["uncertainty"],
        batch_size=step["batch_size"],
    )
    log.info("%s: %d voxels of a target", engine.name, (maps.labels.voxels_zyx > 0).sum())
    write_nifti(maps.labels, snakemake.output.prediction)
    if maps.candidates and maps.certainty:
        write_nifti(maps.candidates, snakemake.output.candidates)
        write_nifti(maps.certainty, snakemake.output.certainty)
    if maps.entropy:
        write_nifti(maps.entropy, snakemake.output.uncertainty)
