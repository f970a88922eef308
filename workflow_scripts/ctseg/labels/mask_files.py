"""Labels in volume files: one file with a value for each label, or a folder with one mask for each label."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ctseg.errors import LabelError
from ctseg.file_types import NIFTI_SUFFIXES, SITK_SUFFIXES, is_volume_file
from ctseg.folders import visible_paths
from ctseg.geometry import mapped_arrays
from ctseg.geometry.axes import aligned
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.alignment import Tolerance, placed, require_aligned
from ctseg.labels.label_tables import MOST_VALUES, names_in, require_values, values_of
from ctseg.labels.structure_names import find_structures
from ctseg.labels.structures import Structure
from ctseg.plurals import counted, listed
from ctseg.scans.volume_files import read_layers, read_volume_file

WHOLE_NUMBER = 1e-3  # tolerance of label values in floating point
INSIDE = 0.5  # threshold of a mask in floating point; suits both 255 and probabilities


@dataclass(frozen=True)
class LabelMap:
    """Content of a label map: each label with its structure, voxel counts of values without a label, warnings."""

    structures: Iterator[tuple[str, Structure]]
    unused_values: dict[int, int]
    warnings: list[str]


def read_label_map(
    path: Path,
    labels: Mapping[str, int],
    names: Mapping[str, Sequence[str]],
    grid: Grid,
    image_name: str,
    tolerance: Tolerance,
    missing_ok: bool = False,
    beyond: str = "cut",
) -> LabelMap:
    """Read the labels from a file of whole numbers, by its names of the values, else by the values in `labels`.

    Raises LabelError if the file is not aligned with `grid` or its values are not whole numbers and, unless
    `missing_ok`, if it contains none of the labels or names other structures (see `label_tables.values_of`).
    """
    named = names_in(path)
    values = values_of(named, labels, names, str(path), missing_ok)
    layers, told = _layers(path, grid, image_name, tolerance, beyond if named else None)
    if any(layer >= len(layers) for pairs in values.of_label.values() for layer, _ in pairs):
        raise LabelError(f"{path} names layers that it does not have: it is cut or damaged; save it again")
    counts = {(layer, value): n for layer, voxels in enumerate(layers) for value, n in _counts(voxels).items()}
    absent = [label for label, pairs in values.of_label.items() if counts.keys().isdisjoint(pairs)]
    unused = _unused(counts, {pair for pairs in values.of_label.values() for pair in pairs})
    if len(absent) == len(labels) and not missing_ok:
        require_values(unused, named, labels, str(path))
    strange = {value: voxels for value, voxels in unused.items() if value not in {item.value for item in named}}
    told += [*values.warnings, *_absences(absent, labels, strange, missing_ok)]
    return LabelMap(_structures(values.of_label, layers), unused, told)


def _layers(
    path: Path, grid: Grid, image_name: str, tolerance: Tolerance, beyond: str | None
) -> tuple[list[np.ndarray], list[str]]:
    """Whole numbers `[z, y, x]` of each layer of a file on `grid`, and warnings about its alignment."""
    layers, told = [], []
    for volume in read_layers(path) if beyond is not None else [read_volume_file(path)]:
        voxels, warnings = _on_grid(volume, path, grid, image_name, tolerance, beyond)
        layers.append(_whole_numbers(voxels, path))
        told += [warning for warning in warnings if warning not in told]
    return layers, told


def _unused(counts: Mapping[tuple[int, int], int], wanted: Collection[tuple[int, int]]) -> dict[int, int]:
    """Voxel counts by increasing value, for (layer, value) pairs without a label."""
    unused: dict[int, int] = {}
    for (layer, value), voxels in sorted(counts.items(), key=lambda item: item[0][1]):
        if (layer, value) not in wanted:
            unused[value] = unused.get(value, 0) + voxels
    return unused


def _structures(
    of_label: Mapping[str, Sequence[tuple[int, int]]], layers: Sequence[np.ndarray]
) -> Iterator[tuple[str, Structure]]:
    """Each label with the structure of its values, one after the other."""
    for label, pairs in of_label.items():
        mask = np.zeros(layers[0].shape, dtype=bool)
        for layer, value in pairs:
            mask |= layers[layer] == value
        yield label, Structure(mask, {"values": sorted({value for _, value in pairs})})


def _absences(
    absent: Sequence[str], labels: Mapping[str, int], strange: Mapping[int, int], missing_ok: bool
) -> list[str]:
    """A warning about labels without a voxel; unnamed values without a label suggest wrong values in the config."""
    if not absent or (missing_ok and not strange):
        return []
    missing = listed([f"{label} (value {labels[label]})" for label in absent])
    has = f"{missing} {'has' if len(absent) == 1 else 'have'} no voxel"
    if not strange:
        return [f"{has} in this label"]
    beside = ", ".join(f"{value} ({counted(voxels, 'voxel')})" for value, voxels in list(strange.items())[:MOST_VALUES])
    more = ", …" if len(strange) > MOST_VALUES else ""
    values = "value is" if len(strange) == 1 else "values are"
    return [f"{has} in this label, while its {values} in no label: {beside}{more}; check target.labels"]


def read_mask_folder(
    folder: Path,
    wanted: Mapping[str, Sequence[str]],
    grid: Grid,
    image_name: str,
    tolerance: Tolerance,
    missing_ok: bool = False,
) -> Iterator[tuple[str, Structure]]:
    """Each label of `wanted` with its structure: the union of all its files; names are without suffixes.

    Raises LabelError if a file is missing (unless `missing_ok`) or not aligned with `grid`.
    """
    files = mask_files(folder)
    names = [_stem(path) for path in files]
    for label, patterns in wanted.items():
        mask, told = np.zeros(grid.shape_zyx, dtype=bool), []
        places = find_structures(names, patterns, str(folder), "file", missing_ok, label)
        for place in places:
            voxels, warnings = _on_grid(read_volume_file(files[place]), files[place], grid, image_name, tolerance)
            mask |= np.nan_to_num(voxels) >= INSIDE if voxels.dtype.kind == "f" else voxels > 0
            told += warnings
        if places and not mask.any() and not missing_ok:
            told.append("the file has no voxel inside")
        yield label, Structure(mask, {"files": len(places)}, tuple(told))


def mask_files(folder: Path) -> list[Path]:
    """The volume files of a folder, sorted, without hidden files."""
    return [path for path in visible_paths(folder) if is_volume_file(path)]


def _on_grid(
    volume: Volume, path: Path, grid: Grid, image_name: str, tolerance: Tolerance, beyond: str | None = None
) -> tuple[np.ndarray, list[str]]:
    """Values `[z, y, x]` of a file on `grid`, and warnings about its alignment.

    With a policy `beyond`, the file may have another extent than the image on the same lattice.
    """
    if volume.voxels_zyx.dtype.kind not in "buif":
        raise LabelError(f"{path} holds values of type {volume.voxels_zyx.dtype}, not label numbers")
    turned = aligned(volume, grid)
    if beyond is not None and turned.grid.shape_zyx != grid.shape_zyx:
        return placed(turned, grid, str(path), image_name, tolerance, beyond)
    told = require_aligned(turned.grid, grid, str(path), image_name, tolerance)
    return turned.voxels_zyx, told


def _whole_numbers(voxels: np.ndarray, path: Path) -> np.ndarray:
    """The voxels rounded to whole numbers, in the same dtype; LabelError if they are not whole numbers."""
    if voxels.dtype.kind != "f":
        return voxels
    if not (np.abs(voxels - np.rint(voxels)) <= WHOLE_NUMBER).all():
        raise LabelError(f"{path} holds values that are not whole numbers: not a label map, perhaps probabilities")
    return np.rint(voxels)


def _counts(voxels: np.ndarray) -> dict[int, int]:
    """Number of voxels of each value except 0."""
    counts: dict[int, int] = {}
    for part in mapped_arrays.by_slab(voxels):
        slab = voxels[part]
        values, numbers = np.unique(slab[slab != 0], return_counts=True)
        for value, number in zip(values.tolist(), numbers.tolist(), strict=True):
            counts[int(value)] = counts.get(int(value), 0) + number
    return counts


def _stem(path: Path) -> str:
    """The name of a volume file without its suffix."""
    name = path.name
    for suffix in sorted(NIFTI_SUFFIXES + SITK_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name
