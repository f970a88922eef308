"""Foreground voxels of a case, on which training patches are centred."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from ctseg.files import atomic_path


@dataclass(frozen=True)
class Foreground:
    """Voxels of a class in a case, by connected component.

    `indices` are flat indices of listed voxels, grouped by component. `listed` is the number of listed voxels of each
    component, and `voxels` the number of all its voxels.
    """

    indices: np.ndarray
    listed: np.ndarray
    voxels: np.ndarray


def write_foreground(foreground: tuple[Foreground, ...], path: str | Path) -> None:
    """Write the foreground of each class as .npz, atomically: `indices_1`, `listed_1`, `voxels_1`, `indices_2`, …"""
    arrays = {
        f"{name}_{value}": array for value, one in enumerate(foreground, start=1) for name, array in vars(one).items()
    }
    with atomic_path(path) as partial:
        np.savez(partial, **arrays)


def read_foreground(path: str | Path) -> tuple[Foreground, ...]:
    """Foreground of each class from a file of `write_foreground`."""
    names = [field.name for field in fields(Foreground)]
    with np.load(path) as stored:
        classes = range(1, len(stored.files) // len(names) + 1)
        return tuple(Foreground(**{name: stored[f"{name}_{value}"] for name in names}) for value in classes)
