"""Convert a label of any accepted format to classes 1…n on the grid of its converted image."""

from ctseg.labels import LabelSettings, read_label
from ctseg.nifti import read_nifti_grid, write_nifti
from job import job

with job(snakemake) as log:
    step = snakemake.params.step
    labels = dict(step["labels"])
    settings = LabelSettings(
        labels,
        {label: tuple(names) for label, names in step["roi_names"].items()},
        step["missing_label"] == "allow",
        step["min_readers"],
        step["small_nodules"],
    )
    image = snakemake.input.image
    label = read_label(snakemake.input.label, settings, read_nifti_grid(image), image, step["series_uid"])
    write_nifti(label, snakemake.output.label)
    for index, name in enumerate(labels, start=1):
        n_voxels = int((label.voxels_zyx == index).sum())
        volume_cm3 = n_voxels * label.grid.voxel_volume_mm3 / 1000
        log.info("%s: %d voxels, %.3g cm³", name, n_voxels, volume_cm3)
