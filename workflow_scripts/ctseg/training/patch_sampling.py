"""Random training patches, cut from memory-mapped volumes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctseg.geometry.volume import Shape
from ctseg.preprocessing.foreground import Foreground


@dataclass(frozen=True)
class TrainingCase:
    """A prepared case: int16 HU and uint8 label map, both [z, y, x], and the foreground voxels of each class."""

    case: str
    image_zyx: np.ndarray
    label_zyx: np.ndarray
    foreground: tuple[Foreground, ...]


class PatchSampler:
    """Sampler of random patches; `fill_hu` is the HU outside of a volume (air)."""

    def __init__(
        self, cases: Sequence[TrainingCase], foreground_probability: float, volume_exponent: float, fill_hu: float
    ) -> None:
        """Raises ValueError if no case has a voxel of any class although `foreground_probability` is above 0."""
        self.cases, self.fill_hu = cases, fill_hu
        self.foreground_probability, self.volume_exponent = foreground_probability, volume_exponent
        # For each class the cases that have it, so that a rare class is drawn as often as a common one.
        n_classes = len(cases[0].foreground)
        having = [[case for case in cases if case.foreground[value].indices.size] for value in range(n_classes)]
        self.targets = [(value, members) for value, members in enumerate(having) if members]
        if foreground_probability > 0 and not self.targets:
            raise ValueError("no training case has a voxel of any target")

    def place(self, rng: np.random.Generator, patch_zyx: Shape) -> tuple[TrainingCase, np.ndarray]:
        """Case and first voxel (z, y, x) of one random patch.

        With `foreground_probability` the patch contains a voxel of a target; otherwise its position in a random case
        is uniform. A patch lies within its volume, and along an axis where it is longer it contains the whole volume.
        """
        size = np.array(patch_zyx)
        if rng.random() < self.foreground_probability:
            value, members = self.targets[rng.integers(len(self.targets))]
            case = members[int(rng.integers(len(members)))]
            flat = draw_voxel(case.foreground[value], rng, self.volume_exponent)
            voxel = np.array(np.unravel_index(flat, case.image_zyx.shape))
            # Off-centre by up to a quarter patch: a network must not learn that targets sit in the middle.
            quarter = size // 4
            centred = voxel - size // 2 + rng.integers(-quarter, quarter + 1)
            room = np.array(case.image_zyx.shape) - size
            return case, np.clip(centred, np.minimum(room, 0), np.maximum(room, 0))
        case = self.cases[int(rng.integers(len(self.cases)))]
        room = np.array(case.image_zyx.shape) - size
        return case, rng.integers(np.minimum(room, 0), np.maximum(room, 0) + 1)

    def patch(
        self, rng: np.random.Generator, patch_zyx: Shape, source_zyx: Shape | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """HU (int16) and labels (uint8) [z, y, x] of one patch, or of the larger source around its middle."""
        case, start = self.place(rng, patch_zyx)
        size = source_zyx or patch_zyx
        start = start - margin_of(size, patch_zyx)
        return cut_patch(case.image_zyx, start, size, self.fill_hu), cut_patch(case.label_zyx, start, size, 0)


def margin_of(source_zyx: Shape, patch_zyx: Shape) -> np.ndarray:
    """Voxels along z, y and x from the first voxel of a source to that of the patch in its middle."""
    return (np.array(source_zyx) - patch_zyx) // 2


def draw_voxel(foreground: Foreground, rng: np.random.Generator, volume_exponent: float) -> int:
    """Flat index of a random listed voxel; a component has a weight of its volume to the power `volume_exponent`."""
    weights = foreground.voxels.astype(float) ** volume_exponent
    component = rng.choice(weights.size, p=weights / weights.sum())
    stop = int(foreground.listed[: component + 1].sum())
    return int(foreground.indices[rng.integers(stop - int(foreground.listed[component]), stop)])


def cut_patch(volume_zyx: np.ndarray, start_zyx: np.ndarray, patch_zyx: Shape, fill: float) -> np.ndarray:
    """Copy of the patch that starts at `start_zyx`, with `fill` outside of the volume."""
    patch = np.full(patch_zyx, fill, dtype=volume_zyx.dtype)
    source, into = common_part(volume_zyx.shape, start_zyx, patch_zyx)
    patch[into] = volume_zyx[source]
    return patch


def common_part(
    shape_zyx: tuple[int, ...], start_zyx: np.ndarray, patch_zyx: Shape
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of the overlap of a patch and a volume, in the volume and in the patch; empty if they do not overlap."""
    begin = np.clip(start_zyx, 0, shape_zyx)
    end = np.maximum(begin, np.clip(np.asarray(start_zyx) + patch_zyx, 0, shape_zyx))
    source = tuple(slice(int(a), int(b)) for a, b in zip(begin, end, strict=True))
    into = tuple(slice(int(a - s), int(b - s)) for a, b, s in zip(begin, end, start_zyx, strict=True))
    return source, into
