"""Random changes of a training patch: its geometry and its intensities.

All values of a patch are drawn from one NumPy generator, so they depend only on the seed and the numbers of batch and
patch, not on the device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from ctseg.geometry.volume import Shape, Triple

SPATIAL_PROBABILITY = 0.5  # that a patch is deformed; not always, since interpolation smooths the noise
# Probability of each change of sharpness, resolution, contrast and gamma; brightness and noise always change.
PATCH_PROBABILITY = 0.25
ELASTIC_SPACING_MM = 32.0  # between the control points of an elastic deformation
SMALLEST_STOCK = 2**22  # normal values from which noise is taken, 16 MiB
AXES = "zyx"  # of a volume


@dataclass(frozen=True)
class AugmentSettings:
    """Limits of the random changes; 0 switches a change off. `flip_axes` holds any of "x", "y", "z".

    Rotation is about z, tilt about x and y. `scale`, `contrast` and `gamma` are the largest deviations of factors from
    1, `low_resolution` is the largest relative increase of the voxel size. `elastic_mm` is the standard deviation of
    the displacements of the control points; `blur_mm` and `noise_hu` are the largest standard deviations of blur and
    noise.
    """

    flip_axes: tuple[str, ...]
    rotate_degrees: float = 0.0
    tilt_degrees: float = 0.0
    scale: float = 0.0
    elastic_mm: float = 0.0
    blur_mm: float = 0.0
    low_resolution: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    shift_hu: float = 0.0
    noise_hu: float = 0.0

    @property
    def deforms(self) -> bool:
        """Whether any change deforms a patch and so needs interpolation."""
        return any((self.rotate_degrees, self.tilt_degrees, self.scale, self.elastic_mm))

    def source_patch(self, patch_zyx: Shape, spacing_xyz_mm: Triple) -> Shape:
        """Size (z, y, x) of the patch to cut, so that a deformed training patch has real voxels up to its border."""
        spacing_zyx_mm = np.array(spacing_xyz_mm[::-1])
        angles = [np.linspace(0, limit, 7) for limit in (self.tilt_degrees, self.tilt_degrees, self.rotate_degrees)]
        extents_mm = [
            np.abs(rotation_xyz(*degrees)[::-1, ::-1]) @ (patch_zyx * spacing_zyx_mm) for degrees in product(*angles)
        ]
        size_mm = np.max(extents_mm, axis=0) * (1 + self.scale) + 4 * self.elastic_mm
        depth, height, width = np.ceil(np.round(size_mm / spacing_zyx_mm, 6)).astype(int)
        return int(depth), int(height), int(width)


@dataclass(frozen=True)
class Changes:
    """Changes of one patch.

    `flips` states for z, y and x whether the patch is mirrored. `matrix` (3, 3) maps x, y, z of the patch to x, y, z of
    the source, both in −1…1, mirroring included; it is None without deformation. `moved_mm` [3, z, y, x] are
    displacements along x, y, z of control points spread evenly over the patch, None without elastic deformation.
    `blur_mm` is 0 and `coarse_zyx` None without softening; `contrast` and `gamma` are 1 if unchanged. Noise values are
    taken from a stock, from index `noise_start` on.
    """

    flips: tuple[bool, bool, bool]
    matrix: np.ndarray | None
    moved_mm: np.ndarray | None
    blur_mm: float
    coarse_zyx: Shape | None
    contrast: float
    gamma: float
    shift_hu: float
    noise_start: int
    noise_hu: float


def draw_changes(
    rng: np.random.Generator,
    settings: AugmentSettings,
    source_zyx: Shape,
    patch_zyx: Shape,
    spacing_xyz_mm: Triple,
    deformed: bool,
) -> Changes:
    """Random changes of a patch; if `deformed`, the patch is interpolated from a source of `source_zyx` voxels."""
    flips = [axis in settings.flip_axes and rng.random() < 0.5 for axis in AXES]
    matrix = moved_mm = None
    if deformed:
        matrix = affine_matrix(rng, settings, source_zyx, patch_zyx, spacing_xyz_mm)
        matrix = matrix * np.where(flips, np.float32(-1), np.float32(1))[::-1]
        moved_mm = moved_points_mm(rng, settings, patch_zyx, spacing_xyz_mm) if settings.elastic_mm else None
    blur_mm, coarse_zyx = _softness(rng, settings, patch_zyx)
    return Changes(
        (flips[0], flips[1], flips[2]),
        matrix,
        moved_mm,
        blur_mm,
        coarse_zyx,
        contrast=_factor(settings.contrast, rng),
        gamma=_factor(settings.gamma, rng),
        shift_hu=rng.uniform(-settings.shift_hu, settings.shift_hu) if settings.shift_hu else 0.0,
        noise_start=int(rng.integers(0, stock_size(patch_zyx) - prod(patch_zyx))) if settings.noise_hu else 0,
        noise_hu=rng.uniform(0, settings.noise_hu) if settings.noise_hu else 0.0,
    )


def affine_matrix(
    rng: np.random.Generator, settings: AugmentSettings, source_zyx: Shape, patch_zyx: Shape, spacing_xyz_mm: Triple
) -> np.ndarray:
    """Random rotation and zoom: float32 matrix (3, 3) from x, y, z of the patch to those of the source, in −1…1.

    The rotation is one in millimetres, so voxels need not be cubes.
    """
    limits = (settings.tilt_degrees, settings.tilt_degrees, settings.rotate_degrees)
    rotation = rotation_xyz(*(rng.uniform(-limit, limit) for limit in limits))
    rotation = rotation * rng.uniform(1 - settings.scale, 1 + settings.scale)
    patch_mm = np.array(patch_zyx[::-1]) * spacing_xyz_mm
    source_mm = np.array(source_zyx[::-1]) * spacing_xyz_mm
    return (rotation * patch_mm[None, :] / source_mm[:, None]).astype(np.float32)


def moved_points_mm(
    rng: np.random.Generator, settings: AugmentSettings, patch_zyx: Shape, spacing_xyz_mm: Triple
) -> np.ndarray:
    """Displacements in mm along x, y, z of control points spread evenly over a patch: float32 [3, z, y, x]."""
    points = [
        max(2, round(size * mm / ELASTIC_SPACING_MM) + 1)
        for size, mm in zip(patch_zyx, spacing_xyz_mm[::-1], strict=True)
    ]
    moved_mm = rng.standard_normal((1, 3, *points), dtype=np.float32)[0] * np.float32(settings.elastic_mm)
    return moved_mm.clip(-2 * settings.elastic_mm, 2 * settings.elastic_mm)  # the margin of the source patch


def _softness(rng: np.random.Generator, settings: AugmentSettings, patch_zyx: Shape) -> tuple[float, Shape | None]:
    """Blur in mm (0 for none), like a smooth kernel, and size to coarsen to (None for none), like thick slices."""
    blur_mm, coarse_zyx = 0.0, None
    if settings.blur_mm or settings.low_resolution:
        blurred, coarse = rng.random(2) < PATCH_PROBABILITY
        if settings.blur_mm and blurred:
            blur_mm = rng.uniform(0, settings.blur_mm)
        if settings.low_resolution and coarse:
            z, y, x = (max(2, round(length / rng.uniform(1, 1 + settings.low_resolution))) for length in patch_zyx)
            coarse_zyx = z, y, x
    return blur_mm, coarse_zyx


def _factor(spread: float, rng: np.random.Generator) -> float:
    """Random factor in 1 ± `spread` with probability `PATCH_PROBABILITY`, else 1."""
    factor = rng.uniform(1 - spread, 1 + spread)
    return factor if rng.random() < PATCH_PROBABILITY else 1.0


def stock_size(patch_zyx: Sequence[int]) -> int:
    """Number of normal values in the stock from which the noise of a patch is taken."""
    return max(SMALLEST_STOCK, 2 * prod(patch_zyx))


def rotation_xyz(about_x: float, about_y: float, about_z: float) -> np.ndarray:
    """Rotation matrix (3, 3) for x, y, z vectors: about x, then y, then z, by angles in degrees."""
    (cx, cy, cz), (sx, sy, sz) = (function(np.deg2rad([about_x, about_y, about_z])) for function in (np.cos, np.sin))
    around_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return around_z @ around_y @ around_x
