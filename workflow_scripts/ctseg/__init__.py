"""ctseg: CT segmentation from DICOM to a measured, deployable 3D U-Net. Pure functions; knows nothing of Snakemake."""
