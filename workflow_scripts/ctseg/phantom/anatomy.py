"""The phantom's chest: shapes and HU of the organs of a patient.

Coordinates are those of the chest: LPS millimetres (x left, y back, z head) relative to a point near the carina, before
the scale of the patient is applied. Distances are signed, negative inside. The shapes are formulas made by hand to look
like chest CT; they contain no data of real patients.
"""

from dataclasses import dataclass

import numpy as np

from ctseg.phantom.shapes import (
    Axes,
    Point,
    Tubes,
    add_tubes,
    coverage,
    ellipsoid,
    paint,
    smooth_max,
    smooth_min,
)
from ctseg.phantom.skeleton import paint_ribs, paint_shoulders, paint_spine, spine_y_mm

AIR, FAT, MUSCLE, BLOOD, LUMEN = -1000.0, -100.0, 50.0, 42.0, -985.0
CAVITY_RADII_MM = (128.0, 92.0)
HEART_AXES = ((0.75, -0.50, -0.43), (0.55, 0.83, 0.0), (0.36, -0.24, 0.90))
SLAB = 8  # slices painted at a time: arrays of this size stay in the processor's cache
HILA: dict[int, Point] = {-1: (-30.0, 12.0, -10.0), 1: (33.0, 14.0, -4.0)}


@dataclass(frozen=True)
class Anatomy:
    """Parameters of a patient; `scale` multiplies chest coordinates, `lung_hu` is the HU of lung tissue."""

    scale: float
    fat_mm: float
    breast_mm: float
    dome_left_mm: float
    dome_right_mm: float
    heart: float
    lung_hu: float
    bubble_mm: float
    table_mm: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Anatomy":
        """Anatomy of a random patient."""
        right = rng.uniform(-72, -54)
        return cls(
            scale=rng.uniform(0.92, 1.04),
            fat_mm=rng.uniform(5, 17),
            breast_mm=float(rng.choice([0.0, rng.uniform(18, 38)])),
            dome_left_mm=right - rng.uniform(4, 14),
            dome_right_mm=right,
            heart=rng.uniform(0.9, 1.08),
            lung_hu=rng.uniform(-870, -780),
            bubble_mm=rng.uniform(8, 20),
            table_mm=rng.uniform(3, 8),
        )


def cavity_distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Distance in mm to the inner chest wall: one ellipse per slice, which narrows towards the two apices."""
    width = np.clip(1 - np.clip((z + 90) / 222, 0, 1) ** 2.6, 0.004, 1) ** 0.64
    depth = width**0.8
    to_apex = np.clip((z - 20) / 80, 0, 1)
    x_hub, y_hub = 45 * to_apex, 25 * to_apex
    offset_x = (np.abs(x) - x_hub * (1 - width)) / width
    offset_y = (y - y_hub * (1 - depth)) / depth
    wall = ellipsoid((offset_x, offset_y), CAVITY_RADII_MM, 2.4) * (0.6 * width + 0.4 * depth)
    return smooth_max(wall, z - 127, 10.0)


def _diaphragm_distance(anatomy: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Distance in mm to the two domes of the diaphragm, positive above them."""
    top = np.where(x > 0, np.float32(anatomy.dome_left_mm), np.float32(anatomy.dome_right_mm))
    squared = ((np.abs(x) - 58) / 70) ** 2 + ((y + 22) / 104) ** 2
    slope = 1 / np.sqrt(1 + 1.2 * squared)
    return (z - top + 52 * squared**1.25) * slope


def _heart_distance(anatomy: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    dx, dy, dz = x - 20, y + 26, z + 48
    turned = [a * dx + b * dy + c * dz for a, b, c in HEART_AXES]
    return ellipsoid(turned, [r * anatomy.heart for r in (60.0, 44.0, 43.0)])


def lung_distance(anatomy: Anatomy, cavity: np.ndarray, heart: np.ndarray, *xyz: np.ndarray) -> np.ndarray:
    """Distance in mm to the lung fields: the cavity without mediastinum, spine, aorta, heart and abdomen."""
    x, y, z = xyz
    side = np.abs(x)
    waist = 21 * np.exp(-(((y - 10) / 34) ** 2)) * (0.75 + 0.25 * np.exp(-(((z + 5) / 40) ** 2)))
    mediastinum = 6 + waist - side
    behind = y - spine_y_mm(z)
    spine = np.maximum(22 - np.sqrt(x * x + behind * behind), np.where(behind > 0, 22 + 0.3 * behind - side, -99))
    aorta = 14.5 - np.sqrt((x - 24) ** 2 + (y - spine_y_mm(z) + 24) ** 2)
    distance = cavity
    for other, rounding in (
        (mediastinum, 10.0),
        (spine, 10.0),
        (np.where(z < 40, aorta, -99), 6.0),
        (-_diaphragm_distance(anatomy, x, y, z), 8.0),
        (4 - heart, 8.0),
    ):
        distance = smooth_max(distance, other.astype(np.float32), rounding)
    return distance


def body_distance(anatomy: Anatomy, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Distance in mm to the skin."""
    radii = [radius + wall + anatomy.fat_mm for radius, wall in zip(CAVITY_RADII_MM, (24, 20), strict=True)]
    torso = ellipsoid((x, y - 3), radii, 2.5)
    if not anatomy.breast_mm:
        return torso
    size = anatomy.breast_mm
    breast = ellipsoid((np.abs(x) - 72, y + radii[1] - 12, z + 25), (52.0, size, 48.0))
    return smooth_min(torso, breast, 20.0)


def _table_distance(anatomy: Anatomy, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    back = CAVITY_RADII_MM[1] + 23 + anatomy.fat_mm + anatomy.table_mm
    return np.maximum(np.abs(y + x * x / 1400 - back - 9) - 9, np.abs(x) - 205)


def _paint_abdomen(hu: np.ndarray, anatomy: Anatomy, inside: np.ndarray, ramp: float, *xyz: np.ndarray) -> None:
    """Paint liver, spleen, stomach with its air bubble, and fat below the diaphragm, in place."""
    x, y, z = xyz
    below = _diaphragm_distance(anatomy, x, y, z) + 4
    inside = np.maximum(inside + 3, below)
    paint(hu, coverage(inside, ramp), FAT)
    liver = smooth_max(inside, x - 38 + 0.35 * y - 0.5 * (z + 70), 20.0)
    paint(hu, coverage(smooth_max(liver, y - 70, 20.0), ramp), 58.0)
    spleen = ellipsoid((x - 88, y - 42, z - anatomy.dome_left_mm + 42), (32.0, 42.0, 40.0))
    paint(hu, coverage(smooth_max(spleen, inside, 4.0), ramp), 50.0)
    stomach = ellipsoid((x - 66, y + 28, z - anatomy.dome_left_mm + 38), (38.0, 40.0, 34.0))
    stomach = smooth_max(stomach, inside + 1, 4.0)
    paint(hu, coverage(stomach, ramp), 35.0)
    paint(hu, coverage(np.maximum(stomach + 4, y + 42 - anatomy.bubble_mm), ramp), LUMEN)


def _paint_slab(
    hu: np.ndarray, lungs: np.ndarray, anatomy: Anatomy, texture: np.ndarray, ramp: float, xyz: tuple
) -> None:
    """Paint a few slices without tubes into `hu`, which starts as air, and write the lung distance to `lungs`."""
    x, y, z = xyz
    table = _table_distance(anatomy, x, y)
    paint(hu, coverage(table, ramp), np.where(table < -2.5, -880.0, -250.0).astype(np.float32))
    body, cavity = body_distance(anatomy, x, y, z), cavity_distance(x, y, z)
    paint(hu, coverage(body, ramp), np.where(body > -2.0, 0.0, FAT + 6 * texture).astype(np.float32))
    rump = ellipsoid((x, y - 3), (150.0, 110.0), 2.5) + 0.1 * np.maximum(z - 40, 0)
    wall = smooth_min(rump, cavity - 11, 10.0)
    streaks = np.clip(1.6 * np.abs(texture) - 0.06 * np.maximum(cavity - 12, 0), -1, 1)
    lean = np.where((cavity > 11) & (streaks < 0.22), FAT + 30.0, MUSCLE).astype(np.float32)
    paint(hu, coverage(np.maximum(wall, body + 0.7 * anatomy.fat_mm), ramp), lean)
    paint(hu, coverage(cavity + 2, ramp), np.float32(FAT + 12) + 10 * texture)
    _paint_abdomen(hu, anatomy, cavity, ramp, x, y, z)
    heart = _heart_distance(anatomy, x, y, z)
    paint(hu, coverage(heart, ramp), 38.0 + 6 * texture)
    paint_ribs(hu, cavity, ramp, x, y, z)
    paint_shoulders(hu, cavity, body, ramp, x, y, z)
    paint_spine(hu, ramp, x, y, z)
    lungs[...] = lung_distance(anatomy, cavity, heart, x, y, z)
    paint(hu, coverage(lungs, ramp), np.float32(anatomy.lung_hu) + 0.25 * y + 14 * texture)


def great_vessels() -> Tubes:
    """Aorta, superior vena cava, its left branch, pulmonary arteries and veins, oesophagus, arteries of the neck."""
    aorta = [(-8, -14, -28), (-17, -22, 5), (-15, -18, 32), (0, 2, 50), (16, 22, 48), (23, 38, 30), (24, 45, 0)]
    aorta += [(22, 46, -80), (12, 44, -170)]
    return Tubes.join(
        [
            Tubes.line(aorta, [15, 16, 15, 13, 12, 12, 12, 11, 10]),
            Tubes.line(
                [(-26, -6, -45), (-27, -8, 45), (-18, -10, 85), (6, -12, 96), (15, -4, 115), (20, 2, 150)],
                [10, 9, 8, 7, 6, 6],
            ),
            Tubes.line([(14, -34, -25), (17, -22, 8), (20, 0, 14), (31, 12, 8)], [14, 13, 11, 9]),
            Tubes.line([(19, -8, 10), (-8, 4, 6), (-29, 10, -4)], [11, 10, 9]),
            Tubes.line([(30, 16, -14), (0, 12, -28), (-28, 14, -18)], [9, 18, 9]),
            Tubes.line([(2, 36, 150), (2, 36, 20), (4, 32, -90)], [7, 7, 8]),
            Tubes.line([(-13, -2, 58), (-20, 4, 90), (-26, 10, 150)], [6, 5, 5]),
            Tubes.line([(10, 12, 58), (18, 14, 100), (24, 12, 150)], [5, 5, 5]),
        ]
    )


def airways() -> Tubes:
    """The lumen of trachea, main and lobar bronchi."""
    return Tubes.join(
        [
            Tubes.line([(0, 8, 170), (-2, 18, 30), (-1, 20, 18)], [8.5, 8.5, 8]),
            Tubes.line([(-1, 20, 18), (-26, 20, 0), (-38, 22, -22), (-48, 32, -60)], [7.5, 6, 4.5, 2.5]),
            Tubes.line([(-26, 20, 0), (-46, 20, 16), (-54, 12, 36)], [4.5, 3, 1.8]),
            Tubes.line([(-1, 20, 18), (32, 24, -8), (44, 32, -34), (54, 42, -64)], [7, 5.5, 4, 2.2]),
            Tubes.line([(32, 24, -8), (50, 10, 6), (56, 0, 26)], [4, 2.8, 1.6]),
        ]
    )


def paint_chest(anatomy: Anatomy, axes: Axes, texture: np.ndarray, ramp_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Chest without lung vessels: HU and the distance in mm to the lung fields, both float32 `[z, y, x]`.

    `axes` are chest coordinates; `texture` is a smooth random field of about 0 ± 1 that makes tissue less uniform.
    """
    hu = np.full(axes.shape_zyx, AIR, np.float32)
    lungs = np.empty_like(hu)
    everything = slice(None)
    for start in range(0, len(axes.z), SLAB):
        slab = slice(start, start + SLAB)
        xyz = axes.open((slab, everything, everything))
        _paint_slab(hu[slab], lungs[slab], anatomy, texture[slab], ramp_mm, xyz)
    _paint_tubes(hu, lungs, axes, ramp_mm)
    return hu, lungs


def _paint_tubes(hu: np.ndarray, lungs: np.ndarray, axes: Axes, ramp_mm: float) -> None:
    share = np.zeros_like(hu)
    add_tubes(share, axes, great_vessels(), ramp_mm)
    paint(hu, share, BLOOD)
    walls = np.zeros_like(hu)
    add_tubes(walls, axes, airways().grown(1.6), ramp_mm)
    paint(hu, walls, 20.0)
    lungs[(share > 0.5) | ((walls > 0.5) & (lungs > -6))] = 3.0
    share[...] = 0
    add_tubes(share, axes, airways(), ramp_mm)
    paint(hu, share, LUMEN)
