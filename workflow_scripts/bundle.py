"""Write the model as a MONAI bundle, for MONAI's own command, MONAI Label and 3D Slicer."""

from pathlib import Path

from ctseg.bundle.write import write_bundle
from job import job

LICENCE = "The weights in models/model.pt: {}.\n\nThe configs and docs were made by ctseg:\n\n{}"

with job(snakemake) as log:
    own = (Path(__file__).parents[1] / "LICENSE").read_text(encoding="utf-8")
    licence = LICENCE.format(snakemake.params.settings["licence"], own)
    write_bundle(snakemake.input.torchscript, snakemake.output.bundle, licence)
    log.info("licence of the weights: %s", snakemake.params.settings["licence"])
