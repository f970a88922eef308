"""Patches for training, cut from memory-mapped volumes.

A batch is a pure function of the seed and the step: no state has to be kept to resume a run exactly, and any batch can
be looked at again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctseg.volume import Shape


@dataclass(frozen=True)
class TrainingCase:
    """A prepared case: int16 HU and uint8 labels [z, y, x], and flat voxel indices for each class."""

    case: str
    image_zyx: np.ndarray
    label_zyx: np.ndarray
    foreground: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class PatchSampler:
    """Draws batches; `fill_hu` stands for what lies outside of a volume (air).

    Raises ValueError when no case has a voxel of any class but foreground is asked for.
    """

    cases: Sequence[TrainingCase]
    patch_zyx: Shape
    foreground_probability: float
    fill_hu: float
    seed: int

    def __post_init__(self) -> None:
        """Refuse to promise foreground that is not there."""
        if self.foreground_probability > 0 and not self._targets():
            raise ValueError("no training case has a voxel of any target")

    def _targets(self) -> list[tuple[int, int]]:
        """The (class, case) pairs that have voxels, so that a rare class is drawn as often as a common one."""
        n_classes = len(self.cases[0].foreground)
        return [(c, i) for c in range(n_classes) for i, case in enumerate(self.cases) if case.foreground[c].size]

    def batch(self, step: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch of a step: int16 HU and uint8 labels, each [batch, 1, z, y, x]."""
        rng = np.random.default_rng([self.seed, step])
        targets = self._targets()
        patches = [self._patch(rng, targets) for _ in range(size)]
        images, labels = zip(*patches, strict=True)
        return np.stack(images)[:, None], np.stack(labels)[:, None]

    def _patch(self, rng: np.random.Generator, targets: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        """One patch, holding a voxel of a target with the set probability, anywhere in a random case otherwise."""
        if rng.random() < self.foreground_probability:
            classes = sorted({c for c, _ in targets})
            drawn = classes[rng.integers(len(classes))]
            having = [index for c, index in targets if c == drawn]
            case = self.cases[having[int(rng.integers(len(having)))]]
            flat = case.foreground[drawn][rng.integers(case.foreground[drawn].size)]
            voxel = np.array(np.unravel_index(flat, case.image_zyx.shape))
            # Off-centre by up to a quarter patch: a network must not learn that targets sit in the middle.
            quarter = np.array(self.patch_zyx) // 4
            centred = voxel - np.array(self.patch_zyx) // 2 + rng.integers(-quarter, quarter + 1)
            start = np.clip(centred, 0, np.maximum(np.array(case.image_zyx.shape) - self.patch_zyx, 0))
        else:
            case = self.cases[int(rng.integers(len(self.cases)))]
            start = rng.integers(0, np.maximum(np.array(case.image_zyx.shape) - self.patch_zyx, 0) + 1)
        image = cut_patch(case.image_zyx, start, self.patch_zyx, self.fill_hu)
        return image, cut_patch(case.label_zyx, start, self.patch_zyx, 0)


def cut_patch(volume_zyx: np.ndarray, start_zyx: np.ndarray, patch_zyx: Shape, fill: float) -> np.ndarray:
    """A copy of the patch that begins at `start_zyx`, filled with `fill` where it leaves the volume."""
    patch = np.full(patch_zyx, fill, dtype=volume_zyx.dtype)
    begin = np.clip(start_zyx, 0, volume_zyx.shape)
    end = np.clip(np.asarray(start_zyx) + patch_zyx, 0, volume_zyx.shape)
    if (end > begin).all():
        source = tuple(slice(int(a), int(b)) for a, b in zip(begin, end, strict=True))
        into = tuple(slice(int(a - s), int(b - s)) for a, b, s in zip(begin, end, start_zyx, strict=True))
        patch[into] = volume_zyx[source]
    return patch
