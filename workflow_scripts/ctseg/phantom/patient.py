"""A built-in chest CT phantom: scans with nodules of known shape, the same for the same seed on every machine.

The HU of the lung vessels are in the range of the HU of nodules: only the shape separates them, not a threshold.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ctseg.geometry.volume import AIR_HU, Grid, Volume
from ctseg.phantom.anatomy import HILA, Anatomy, paint_chest
from ctseg.phantom.nodules import Nodule, paint_nodules, place_nodules
from ctseg.phantom.shapes import Axes, Point, add_tubes, coverage, paint
from ctseg.phantom.vessels import TERMINALS, grow_tree

FIELD_OF_VIEW_MM = (352.0, 380.0)
LENGTH_MM = (280.0, 306.0)  # of the scan for a chest of scale 1
BLUR_MM = 0.9  # standard deviation of the scanner's point spread
NOISE_HU = (9.0, 20.0)
VESSEL_HU = (42.0, 54.0)
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class PhantomSettings:
    """Settings of the phantom in the config: ranges in mm, and the smallest and largest number of nodules."""

    seed: int
    spacing_mm: tuple[float, float]
    slice_distance_mm: tuple[float, float]
    nodules: tuple[int, int]


@dataclass(frozen=True)
class Phantom:
    """One patient. All volumes `[z, y, x]` share a grid with x to the left, y to the back, z to the head.

    `image` is int16 HU, air outside the round field of view; `label` is uint8 with 1 = nodule; `lungs` is uint8 with
    1 = lung field, vessels and nodules included. The centres of the nodules are in LPS mm, like the points of the
    grid. `seed` is the seed of the settings.
    """

    image: Volume
    label: Volume
    lungs: Volume
    nodules: tuple[Nodule, ...]
    seed: int


def make_phantom(settings: PhantomSettings, index: int) -> Phantom:
    """Patient `index` (counted from 0) of the phantom; depends only on the settings and the index."""
    rng = np.random.default_rng([settings.seed, index])
    anatomy = Anatomy.draw(rng)
    grid, isocentre = _draw_grid(rng, settings, anatomy)
    axes = _axes(grid, isocentre)
    ramp_mm = float(np.mean(grid.spacing_xyz_mm))
    chest = Axes(*(axis / np.float32(anatomy.scale) for axis in (axes.z, axes.y, axes.x)))
    hu, lungs_mm = paint_chest(anatomy, chest, _texture(rng, axes), ramp_mm / anatomy.scale)
    lungs_mm *= np.float32(anatomy.scale)
    hila = {side: _scaled(point, anatomy.scale) for side, point in HILA.items()}
    _paint_vessels(rng, hu, lungs_mm, axes, hila, ramp_mm)
    count = int(rng.integers(settings.nodules[0], settings.nodules[1] + 1))
    nodules = place_nodules(rng, axes, lungs_mm, list(hila.values()), count)
    label = paint_nodules(hu, lungs_mm, axes, nodules, ramp_mm)
    return Phantom(
        Volume(_scan(rng, hu, grid, axes), grid),
        Volume(label, grid),
        Volume((lungs_mm <= 0).astype(np.uint8), grid),
        tuple(replace(nodule, centre_xyz_mm=_moved(nodule.centre_xyz_mm, isocentre)) for nodule in nodules),
        settings.seed,
    )


def _scaled(point: Point, scale: float) -> Point:
    return point[0] * scale, point[1] * scale, point[2] * scale


def _moved(point: Point, by: Point) -> Point:
    return point[0] + by[0], point[1] + by[1], point[2] + by[2]


def _draw_grid(rng: np.random.Generator, settings: PhantomSettings, anatomy: Anatomy) -> tuple[Grid, Point]:
    """Grid around the chest, and position of the chest's origin in LPS mm.

    Numbers are rounded so that DICOM's decimal strings hold them exactly.
    """
    spacing = round(rng.uniform(*settings.spacing_mm), 4)
    distance = round(rng.uniform(*settings.slice_distance_mm), 2)
    columns = 2 * round(rng.uniform(*FIELD_OF_VIEW_MM) / spacing / 2)
    slices = round(rng.uniform(*LENGTH_MM) * anatomy.scale / distance)
    isocentre = tuple(round(float(v), 1) for v in rng.uniform((-12, -160, -400), (12, -20, 100)))
    first_xy = -(columns - 1) / 2 * spacing
    first = (first_xy, first_xy + 8, -(slices - 1) / 2 * distance - 2)
    origin = tuple(round(a + b, 3) for a, b in zip(isocentre, first, strict=True))
    grid = Grid((slices, columns, columns), (spacing, spacing, distance), origin, IDENTITY)  # type: ignore[arg-type]
    return grid, isocentre  # type: ignore[return-value]


def _axes(grid: Grid, isocentre: Point) -> Axes:
    """Coordinates of the grid in mm, relative to the chest's origin."""
    x, y, z = (
        (np.arange(n) * step + (first - centre)).astype(np.float32)
        for n, step, first, centre in zip(
            grid.shape_zyx[::-1], grid.spacing_xyz_mm, grid.origin_xyz_mm, isocentre, strict=True
        )
    )
    return Axes(z, y, x)


def _texture(rng: np.random.Generator, axes: Axes) -> np.ndarray:
    """A smooth random field, about 0 ± 1, with structures of 2–3 cm; float32 `[z, y, x]`."""
    steps = [(axis[-1] - axis[0]) / 16 for axis in (axes.z, axes.y, axes.x)]
    field = rng.standard_normal([int(n) + 2 for n in steps], dtype=np.float32)
    for dimension, size in enumerate(axes.shape_zyx):
        at = np.linspace(0, field.shape[dimension] - 1.001, size)
        low = at.astype(int)
        weight = np.expand_dims((at - low).astype(np.float32), tuple(d for d in range(3) if d != dimension))
        weight = weight * weight * (3 - 2 * weight)
        field = field.take(low, dimension) * (1 - weight) + field.take(low + 1, dimension) * weight
    return field


def _paint_vessels(
    rng: np.random.Generator, hu: np.ndarray, lungs_mm: np.ndarray, axes: Axes, hila: dict[int, Point], ramp_mm: float
) -> None:
    """Paint arteries and veins of both lungs, cut off at the surface of the lungs, in place."""
    share = np.zeros_like(hu)
    z, y, x = np.nonzero(lungs_mm[::2, ::2, ::2] < -3)
    points = np.column_stack([axes.x[::2][x], axes.y[::2][y], axes.z[::2][z]]).astype(float)
    for side, hilum in hila.items():
        own = points[points[:, 0] * side > 0]
        for lift_mm in (8.0, -12.0):  # arteries enter above the veins
            targets = own[rng.choice(len(own), TERMINALS)] + rng.uniform(-2, 2, (TERMINALS, 3))
            add_tubes(share, axes, grow_tree(rng, _moved(hilum, (0.0, 0.0, lift_mm)), targets), ramp_mm)
    paint(hu, share * coverage(lungs_mm, ramp_mm), rng.uniform(*VESSEL_HU))


def _scan(rng: np.random.Generator, hu: np.ndarray, grid: Grid, axes: Axes) -> np.ndarray:
    """Simulated scan with blur, correlated noise and a round field of view: int16 HU `[z, y, x]`."""
    image = ndimage.gaussian_filter(hu, [BLUR_MM / step for step in grid.spacing_zyx_mm], truncate=3.0)
    noise = rng.standard_normal(hu.shape, dtype=np.float32)
    for axis, sigma in ((2, 0.6), (1, 0.6), (0, 0.35)):
        noise = ndimage.gaussian_filter1d(noise, sigma, axis=axis, truncate=3.0)
    image += noise * np.float32(rng.uniform(*NOISE_HU) / noise[::4].std())
    middle_x, middle_y = axes.x.mean(), axes.y.mean()
    radius = grid.spacing_xyz_mm[0] * grid.shape_zyx[2] / 2
    outside = (axes.x - middle_x) ** 2 + (axes.y[:, None] - middle_y) ** 2 > radius**2
    image[:, outside] = AIR_HU
    return np.clip(np.rint(image), AIR_HU, 3071).astype(np.int16)
