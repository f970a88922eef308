"""ctseg: CT segmentation from DICOM to a measured, deployable 3D U-Net. Knows nothing of Snakemake."""
