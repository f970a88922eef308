"""Reading labels in any of the accepted formats as classes on the grid of their image."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ctseg.errors import InputError
from ctseg.formats import is_volume_file
from ctseg.label_files import mask_files, read_label_map, read_mask_folder
from ctseg.volume import Grid, Volume


@dataclass(frozen=True)
class LabelSettings:
    """What to look for in a label.

    `labels` has the value of each label in a label map; their order sets the classes 1, 2, … `roi_names` has the names
    that a label has in other formats, where they differ from its own. With `missing_ok` a label may be absent.
    `min_readers` and `small_nodules` are those of `ctseg.lidc`.
    """

    labels: dict[str, int]
    roi_names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    missing_ok: bool = False
    min_readers: int = 2
    small_nodules: str = "ignore"

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The names of each label's ROIs, segments or files."""
        return {label: self.roi_names.get(label, (label,)) for label in self.labels}


def read_label(
    path: str | Path, settings: LabelSettings, grid: Grid, image_name: str, series_uid: str | None = None
) -> Volume:
    """Read a label as uint8 classes `[z, y, x]` on the image's grid: 0 is background, the n-th label is n.

    `path` is a label map (NIfTI, NRRD, MHA, MHD), a folder with one such file for each label, an RTSTRUCT or DICOM SEG
    (or a folder with one), the XML of LIDC-IDRI, or the CSV of LUNA16, in which `series_uid` names the scan. Where
    structures overlap, the later label wins. Raises InputError when the label does not lie on `grid`, a structure is
    not there, or no voxel belongs to any label; the last two are allowed with `missing_ok`.
    """
    source = Path(path)
    if not source.exists():
        raise InputError(f"{source} does not exist")
    suffix = source.suffix.lower()
    empty_ok = settings.missing_ok
    if is_volume_file(source):
        classes = read_label_map(source, settings.labels, grid, image_name, tolerance_mm(grid))
    elif suffix in (".xml", ".csv"):
        classes = _nodules(source, settings, grid, image_name, series_uid)
        empty_ok |= suffix == ".csv"  # a series that has no row is a scan without nodules
    else:
        classes = _classes(_masks(source, settings, grid, image_name), grid)
    if not empty_ok and not classes.any():
        raise InputError(
            f"{source} has no voxel of {', '.join(settings.labels)}: check target.labels, or set convert.missing_label "
            "to allow if the case has no target"
        )
    return Volume(classes, grid)


def tolerance_mm(grid: Grid) -> float:
    """How far apart corresponding voxels may lie: headers are rounded, so 2 % of a voxel, and 0.05 mm at least."""
    return max(0.05, 0.02 * min(grid.spacing_xyz_mm))


def _classes(masks: dict[str, np.ndarray], grid: Grid) -> np.ndarray:
    """Number masks from 1 on; the later one wins."""
    classes = np.zeros(grid.shape_zyx, dtype=np.uint8)
    for index, mask in enumerate(masks.values(), start=1):
        classes[mask] = index
    return classes


def _nodules(path: Path, settings: LabelSettings, grid: Grid, image_name: str, series_uid: str | None) -> np.ndarray:
    """The nodules of an archive that has one label; imports are late since other cases need neither."""
    if len(settings.labels) > 1:
        raise InputError(
            f"{path} has nodules alone, but target.labels has {', '.join(settings.labels)}; name one label"
        )
    if path.suffix.lower() == ".xml":
        from ctseg.lidc import read_lidc

        return read_lidc(path, grid, image_name, settings.min_readers, settings.small_nodules).astype(np.uint8)
    from ctseg.luna16 import read_luna16

    if not series_uid:
        raise InputError(f"{path} names scans by their series; give series_uid in the case table")
    return read_luna16(path, grid, image_name, series_uid).astype(np.uint8)


def _masks(source: Path, settings: LabelSettings, grid: Grid, image_name: str) -> dict[str, np.ndarray]:
    """The mask of each label from DICOM objects or from a folder of files."""
    names, missing_ok = settings.names, settings.missing_ok
    if source.is_dir() and mask_files(source):
        return read_mask_folder(source, names, grid, image_name, tolerance_mm(grid), missing_ok)
    path, modality = _dicom_label(source)
    if modality == "SEG":
        from ctseg.dicom_seg import read_segments  # pydicom takes 0.3 s to import

        return read_segments(path, names, grid, image_name, tolerance_mm(grid), missing_ok)
    from ctseg.rtstruct import rasterise, read_contours

    masks = {}
    for label, rois in read_contours(path, names, missing_ok).items():
        masks[label] = np.zeros(grid.shape_zyx, dtype=bool)
        for contours in rois:
            masks[label] |= rasterise(contours, grid, f"{label} in {path}", image_name)
    return masks


def _dicom_label(path: Path) -> tuple[Path, str]:
    """The RTSTRUCT or SEG file at `path`, itself or the only one in the folder, and which of both it is."""
    from ctseg.dicom_header import list_headers, open_dicom  # pydicom takes 0.3 s to import

    if not path.is_dir():
        header = open_dicom(path)
        kind = header.text("Modality") if header else "no DICOM"
        if kind in ("RTSTRUCT", "SEG"):
            return path, kind
        raise InputError(
            f"{path} is no label that ctseg reads ({kind}): give NIfTI, NRRD, MHA, MHD, RTSTRUCT, DICOM SEG, or the "
            "XML or CSV of an archive"
        )
    kinds = {header.path: header.text("Modality") for header in list_headers(path)}
    found = {file: kind for file, kind in kinds.items() if kind in ("RTSTRUCT", "SEG")}
    if len(found) != 1:
        counts = [f"{list(found.values()).count(kind)} {kind} files" for kind in ("RTSTRUCT", "SEG")]
        raise InputError(f"{path} holds {' and '.join(counts)}; give the file itself")
    return next(iter(found.items()))
