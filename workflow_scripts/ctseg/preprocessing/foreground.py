"""Where the targets of a case lie: the voxels that training patches are centred on."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from ctseg.files import atomic_path


@dataclass(frozen=True)
class Foreground:
    """The voxels of a class in a case, by connected component.

    `indices` are flat indices of voxels, those of one component after those of another; `listed` tells how many stand
    there of each component, and `voxels` how many it has.
    """

    indices: np.ndarray
    listed: np.ndarray
    voxels: np.ndarray


def write_foreground(foreground: tuple[Foreground, ...], path: str | Path) -> None:
    """Write it as .npz, atomically: `indices_1`, `listed_1`, `voxels_1`, `indices_2`, …"""
    arrays = {
        f"{name}_{value}": array for value, one in enumerate(foreground, start=1) for name, array in vars(one).items()
    }
    with atomic_path(path) as partial:
        np.savez(partial, **arrays)


def read_foreground(path: str | Path) -> tuple[Foreground, ...]:
    """Read what `write_foreground` wrote."""
    names = [field.name for field in fields(Foreground)]
    with np.load(path) as stored:
        classes = range(1, len(stored.files) // len(names) + 1)
        return tuple(Foreground(**{name: stored[f"{name}_{value}"] for name in names}) for value in classes)
