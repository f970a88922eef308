"""ctseg: CT segmentation from DICOM to a measured, deployable 3D U-Net. Does not import Snakemake."""
