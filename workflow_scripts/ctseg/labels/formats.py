"""The readers of the accepted label formats, by the names of `catalogue.label_formats`.

A new format needs a reader in `READERS`, a case in `format_of`, and an entry in the catalogue.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctseg.errors import LabelError
from ctseg.file_types import is_volume_file
from ctseg.geometry.volume import Grid
from ctseg.labels.alignment import Tolerance
from ctseg.labels.mask_files import mask_files, read_label_map, read_mask_folder
from ctseg.labels.structures import Structure, united_rois

if TYPE_CHECKING:
    from ctseg.labels.read_label import LabelSettings


@dataclass
class Source:
    """Content of a label file: each label with its structure, in order; facts and warnings about the whole file."""

    structures: Iterable[tuple[str, Structure]]
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    empty_ok: bool = False


@dataclass(frozen=True)
class Asked:
    """Arguments of a reader: the settings, and grid, name and series of the scan; see `read_label.read_label`.

    `own_frames` are the frames of reference that ROIs may have; if it is empty, ROIs may have any.
    """

    settings: "LabelSettings"
    grid: Grid
    image_name: str
    series_uid: str | None
    own_frames: tuple[str, ...]

    @property
    def tolerance(self) -> Tolerance:
        """Tolerated offset of the label from the voxels of its scan."""
        return Tolerance.of(self.grid, self.settings.off_mm)


def format_of(source: Path) -> tuple[str, Path]:
    """Name of a label's format, a key of `READERS`, and the file or folder to read.

    Raises LabelError for a folder or file without a label.
    """
    if is_volume_file(source):
        return "label_map", source
    by_suffix = {".xml": "lidc_xml", ".csv": "luna16_csv"}
    if source.suffix.lower() in by_suffix:
        return by_suffix[source.suffix.lower()], source
    if source.is_dir() and mask_files(source):
        return "mask_folder", source
    from ctseg.dicom.label_reference import dicom_label  # pydicom takes 0.3 s to import

    path, modality = dicom_label(source)
    return "rtstruct" if modality == "RTSTRUCT" else "dicom_seg", path


def _label_map(path: Path, asked: Asked) -> Source:
    """The labels in a label map."""
    settings = asked.settings
    found = read_label_map(
        path,
        settings.labels,
        settings.names,
        asked.grid,
        asked.image_name,
        asked.tolerance,
        settings.missing_ok,
        settings.beyond,
    )
    unused = {str(value): voxels for value, voxels in found.unused_values.items()}
    return Source(found.structures, {"unused_values": unused}, found.warnings)


def _mask_folder(path: Path, asked: Asked) -> Source:
    """The masks of a folder with one file for each label."""
    names, missing_ok = asked.settings.names, asked.settings.missing_ok
    return Source(read_mask_folder(path, names, asked.grid, asked.image_name, asked.tolerance, missing_ok))


def _dicom_seg(path: Path, asked: Asked) -> Source:
    """The segments of a DICOM SEG."""
    from ctseg.labels.dicom_seg import read_segments  # late imports, only for the formats that need them

    names, missing_ok, beyond = asked.settings.names, asked.settings.missing_ok, asked.settings.beyond
    return Source(read_segments(path, names, asked.grid, asked.image_name, asked.tolerance, missing_ok, beyond))


def _lidc_xml(path: Path, asked: Asked) -> Source:
    """The nodules of a LIDC-IDRI annotation as the only label."""
    from ctseg.labels.lidc_xml import read_lidc

    label, settings = _only_label(path, asked), asked.settings
    structure = read_lidc(
        path, asked.grid, asked.image_name, settings.min_readers, settings.small_nodules, settings.dicom_scan
    )
    return Source([(label, structure)])


def _luna16_csv(path: Path, asked: Asked) -> Source:
    """The nodules of a series as the only label; a series without a row has none."""
    from ctseg.labels.luna16_csv import read_luna16

    label = _only_label(path, asked)
    if not asked.series_uid:
        raise LabelError(f"{path} names scans by their series; give series_uid in the case table")
    mask = read_luna16(path, asked.grid, asked.image_name, asked.series_uid)
    return Source([(label, Structure(mask))], empty_ok=True)


def _only_label(path: Path, asked: Asked) -> str:
    """The only label, for archives of nodules. Raises LabelError if there are several."""
    labels = asked.settings.labels
    if len(labels) > 1:
        raise LabelError(f"{path} has only nodules, but target.labels has {', '.join(labels)}; name one label")
    [label] = labels
    return label


def _rtstruct(path: Path, asked: Asked) -> Source:
    """The ROIs of an RTSTRUCT."""
    return Source(_rois(path, asked.settings, asked.grid, asked.image_name, asked.own_frames))


def _rois(
    path: Path, settings: "LabelSettings", grid: Grid, image_name: str, own_frames: tuple[str, ...]
) -> Iterator[tuple[str, Structure]]:
    """Each label with the union of all its ROIs. Raises LabelError for an ROI in a foreign frame of reference."""
    from ctseg.labels.outlines import rasterise  # scipy takes 0.2 s to import
    from ctseg.labels.rtstruct import read_rois

    for label, rois in read_rois(path, settings.names, settings.missing_ok).items():
        name = f"{label} in {path}"
        if own_frames and any(roi.frame_of_reference not in ("", *own_frames) for roi in rois):
            raise LabelError(
                f"{name} was drawn in another frame of reference than {image_name}, unlike others in the file; "
                "give the scan that it was drawn on, by series_uid in the case table, or set convert.foreign_label: "
                "allow"
            )
        parts = (rasterise(roi.contours, grid, name, image_name, settings.beyond) for roi in rois)
        yield label, united_rois(parts, [roi.open_contours for roi in rois], grid)


READERS: dict[str, Callable[[Path, Asked], Source]] = {
    "label_map": _label_map,
    "mask_folder": _mask_folder,
    "rtstruct": _rtstruct,
    "dicom_seg": _dicom_seg,
    "lidc_xml": _lidc_xml,
    "luna16_csv": _luna16_csv,
}
