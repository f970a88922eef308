"""What the name of a file says of the format of its volume; without heavy imports, since the workflow asks it, too."""

from pathlib import Path

NIFTI_SUFFIXES = (".nii", ".nii.gz")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")  # where a slice has one at all
SITK_SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")


def is_volume_file(path: str | Path) -> bool:
    """Whether the name says NIfTI, NRRD or MetaImage; a scan with another name is the folder of a DICOM series."""
    return Path(path).name.lower().endswith(NIFTI_SUFFIXES + SITK_SUFFIXES)


def volume_format(path: Path) -> str:
    """The format that the name of a volume file says."""
    name = path.name.lower()
    return "NIfTI" if name.endswith(NIFTI_SUFFIXES) else "NRRD" if name.endswith((".nrrd", ".nhdr")) else "MetaImage"
