"""Formats of volume files by their names; without heavy imports, since the workflow uses this module, too."""

from pathlib import Path

NIFTI_SUFFIXES = (".nii", ".nii.gz")
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")  # of slices; some have no suffix
SITK_SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")


def is_volume_file(path: str | Path) -> bool:
    """Whether the name is that of NIfTI, NRRD or MetaImage; a scan with another name is a DICOM series' folder."""
    return Path(path).name.lower().endswith(NIFTI_SUFFIXES + SITK_SUFFIXES)


def is_text(path: str | Path) -> bool:
    """Whether a path is UTF-8 text. Names from a zip of another system may not be, and ITK ends the process then."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def volume_format(path: Path) -> str:
    """The format of a volume file, by its name: NIfTI, NRRD or MetaImage."""
    name = path.name.lower()
    return "NIfTI" if name.endswith(NIFTI_SUFFIXES) else "NRRD" if name.endswith((".nrrd", ".nhdr")) else "MetaImage"
