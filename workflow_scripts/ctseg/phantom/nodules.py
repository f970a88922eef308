"""The phantom's nodules: their shape, placement and HU."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ctseg.errors import ConfigError
from ctseg.phantom.shapes import Axes, Point, coverage, paint

DIAMETER_RANGE_MM = (6.0, 30.0)
SMALLEST_MM = 1.0  # limit to which a nodule is made smaller if it does not fit
GAP_MM = 6.0  # between two nodules
HILUM_GAP_MM = 32.0  # from the root of the lung's vessels, which would look like a nodule
LATERAL_MM = 74.0  # from the middle; farther out the pleura is at the chest wall or a dome, not at the heart
STEP = 2  # voxels along each axis between candidate places


@dataclass(frozen=True)
class Nodule:
    """A ball with a few low-order harmonics: its radius along the unit vector u is
    `diameter_mm / 2 · (1 + Σ amplitude · P_degree(u · axis))`, with Legendre polynomials P.

    `lobes` holds (axis, degree, amplitude). A `core` below 1 makes a part-solid nodule: a rim of `rim_hu` around a
    solid core of that share of the radius. The part outside of the lung is cut off at the pleura.
    """

    centre_xyz_mm: Point
    diameter_mm: float
    hu: float
    lobes: tuple[tuple[Point, int, float], ...] = ()
    at_pleura: bool = False
    core: float = 1.0
    rim_hu: float = 0.0

    def distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Signed distance in mm (along the ray from the centre) of points in the frame of `centre_xyz_mm`."""
        offsets = [axis - np.float32(c) for axis, c in zip((x, y, z), self.centre_xyz_mm, strict=True)]
        length = np.sqrt(sum(offset * offset for offset in offsets))
        shape = np.ones_like(length)
        for axis, degree, amplitude in self.lobes:
            cosine = sum(np.float32(a) * o for a, o in zip(axis, offsets, strict=True)) / np.maximum(length, 1e-3)
            legendre = 1.5 * cosine**2 - 0.5 if degree == 2 else 2.5 * cosine**3 - 1.5 * cosine
            shape += np.float32(amplitude) * legendre
        return length - np.float32(self.diameter_mm / 2) * shape

    @property
    def reach_mm(self) -> float:
        """Upper limit in mm of the distance of any part of the nodule from its centre."""
        return self.diameter_mm / 2 * (1 + sum(abs(amplitude) for _, _, amplitude in self.lobes))


def draw_diameters_mm(rng: np.random.Generator, count: int) -> list[float]:
    """Diameters in mm, largest first: one from each of `count` equal parts of the logarithmic range, to mix sizes."""
    low, high = np.log(DIAMETER_RANGE_MM)
    parts = (np.arange(count) + rng.uniform(0, 1, count)) / count
    return np.exp(low + (high - low) * parts)[::-1].tolist()


def place_nodules(
    rng: np.random.Generator, axes: Axes, lungs_mm: np.ndarray, hila_xyz_mm: list[Point], count: int
) -> tuple[Nodule, ...]:
    """Nodules in the lungs, at a distance from each other and from the hila.

    `lungs_mm` is the signed distance to the lung fields, float32 `[z, y, x]`. If a nodule does not fit, smaller
    diameters are tried. Raises ConfigError if no diameter fits.
    """
    coarse = Axes(axes.z[::STEP], axes.y[::STEP], axes.x[::STEP])
    spacing = [float(axis[1] - axis[0]) for axis in (coarse.z, coarse.y, coarse.x)]
    inside = lungs_mm[::STEP, ::STEP, ::STEP] < 0
    indices = np.argwhere(inside)
    # `lungs_mm` is right at the surface and too large where it curves; the distance transform is right deep inside.
    depth = ndimage.distance_transform_edt(inside, sampling=spacing)[inside]
    depth = np.minimum(depth, -lungs_mm[::STEP, ::STEP, ::STEP][inside])
    points = np.column_stack([coarse.x[indices[:, 2]], coarse.y[indices[:, 1]], coarse.z[indices[:, 0]]])
    far = np.all([np.linalg.norm(points - hilum, axis=1) > HILUM_GAP_MM for hilum in hila_xyz_mm], axis=0)
    nodules: list[Nodule] = []
    for diameter in draw_diameters_mm(rng, count):
        nodules.append(_place(rng, points[far], depth[far], diameter, nodules))
    return tuple(nodules)


def _place(
    rng: np.random.Generator, points: np.ndarray, depth: np.ndarray, diameter: float, others: list[Nodule]
) -> Nodule:
    at_pleura = bool(rng.uniform() < 0.35)
    lobes = _draw_lobes(rng) if rng.uniform() < 0.5 else ()
    looks = _draw_looks(rng, diameter)
    while diameter > SMALLEST_MM:
        probe = Nodule((0.0, 0.0, 0.0), diameter, lobes=lobes, at_pleura=at_pleura, **looks)
        if at_pleura:
            fits = (depth > 0.4 * diameter / 2) & (depth < 0.8 * diameter / 2) & (np.abs(points[:, 0]) > LATERAL_MM)
        else:
            fits = depth > probe.reach_mm + 3
        for other in others:
            gap = np.linalg.norm(points - other.centre_xyz_mm, axis=1)
            fits &= gap > probe.reach_mm + other.reach_mm + GAP_MM
        if fits.any():
            centre = points[rng.choice(np.flatnonzero(fits))] + rng.uniform(-1, 1, 3)
            return Nodule(tuple(centre.tolist()), diameter, lobes=lobes, at_pleura=at_pleura, **looks)
        diameter *= 0.85
    raise ConfigError(
        f"the lungs of a phantom have no place for more than {len(others)} nodules; lower cases.phantom.nodules"
    )


def _draw_lobes(rng: np.random.Generator) -> tuple[tuple[Point, int, float], ...]:
    lobes = []
    for degree in (2, 3, 3):
        axis = rng.normal(size=3)
        lobes.append((tuple((axis / np.linalg.norm(axis)).tolist()), degree, rng.uniform(0.06, 0.16)))
    return tuple(lobes)


def _draw_looks(rng: np.random.Generator, diameter: float) -> dict[str, float]:
    """HU of a nodule; 18 % of the nodules larger than 10 mm are part-solid, since smaller ones cannot show a rim."""
    looks = {"hu": rng.uniform(0, 60)}
    if rng.uniform() < 0.18 and diameter > 10:
        looks |= {"core": rng.uniform(0.5, 0.7), "rim_hu": rng.uniform(-450, -250)}
    return looks


def paint_nodules(
    hu: np.ndarray, lungs_mm: np.ndarray, axes: Axes, nodules: tuple[Nodule, ...], ramp_mm: float
) -> np.ndarray:
    """Paint the nodules into `hu`, in place, and return their label.

    The label is uint8 `[z, y, x]`, 1 for voxels with a centre in a nodule and in the lungs.
    """
    label = np.zeros(axes.shape_zyx, np.uint8)
    for nodule in nodules:
        centre, reach = np.array(nodule.centre_xyz_mm), nodule.reach_mm + 2 * ramp_mm
        box = axes.box(centre - reach, centre + reach)
        distance = nodule.distance(*axes.open(box))
        in_lungs = np.maximum(distance, lungs_mm[box])
        label[box] |= in_lungs <= 0
        rim_mm = nodule.diameter_mm / 2 * (1 - nodule.core)
        solid = coverage(distance + rim_mm, max(ramp_mm, 0.6 * rim_mm))
        paint(hu[box], coverage(in_lungs, ramp_mm), nodule.rim_hu + solid * (nodule.hu - nodule.rim_hu))
    return label
