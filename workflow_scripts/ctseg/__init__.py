"""ctseg: CT segmentation from DICOM to a measured, deployable 3D U-Net. Pure functions; knows nothing of Snakemake."""

__version__ = "0.1.0"
