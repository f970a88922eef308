"""Prepare a case for training: cropped, resampled and clipped, as uncompressed files, with its foreground voxels."""

import numpy as np

from ctseg.files import read_json
from ctseg.lungs.plausibility import plausible_lungs
from ctseg.preprocessing.find_foreground import find_foreground
from ctseg.preprocessing.foreground import write_foreground
from ctseg.preprocessing.planned import preparation_of
from ctseg.preprocessing.preparation import prepare_image, prepare_label
from ctseg.scans.nifti import read_nifti, write_nifti
from job import job

MOST_FOREGROUND_VOXELS = 20_000  # per class: enough as patch centres, small compared with the volumes

with job(snakemake) as log:
    params = snakemake.params.settings
    preparation = preparation_of(read_json(snakemake.input.plan), params["margin_mm"])
    lungs = plausible_lungs(snakemake.input.get("lungs"), snakemake.input.get("lungs_facts"))
    image = prepare_image(read_nifti(snakemake.input.image), lungs, preparation)
    label = prepare_label(read_nifti(snakemake.input.label), image, params["n_classes"])
    foreground = find_foreground(label.voxels_zyx, params["n_classes"], MOST_FOREGROUND_VOXELS, params["seed"])
    log.info("%s voxels (z, y, x), %d of them foreground", image.grid.shape_zyx, np.count_nonzero(label.voxels_zyx))
    write_nifti(image, snakemake.output.image)
    write_nifti(label, snakemake.output.label)
    write_foreground(foreground, snakemake.output.foreground)
