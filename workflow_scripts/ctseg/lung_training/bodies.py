"""Random healthy chests on the lung network's grid, more varied than the phantom: builds, arms, bowels, contrast."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ctseg.geometry.volume import Shape
from ctseg.lung_training.random_fields import SPACING_MM, blend, lump, smooth_noise, soft
from ctseg.phantom.anatomy import HEART_AXES, HILA, Anatomy, great_vessels, paint_chest
from ctseg.phantom.shapes import Axes, add_tubes, coverage, ellipsoid
from ctseg.phantom.vessels import grow_tree

SHAPE_ZYX: Shape = (112, 100, 136)
SCALE = (0.82, 1.12)
TWIGS = 260  # terminal branches of each of the four trees of pulmonary vessels
RIGHT, LEFT = 1, 2


@dataclass
class Body:
    """Body from which scans are simulated: float32 HU `[z, y, x]`, axes to head, back and left, and its lung field.

    `sides` is uint8 `[z, y, x]` with 1 = right and 2 = left lung, everything inside the pleura included. `gravity` is 1
    if the patient lies on the back, −1 if on the front.
    """

    hu: np.ndarray
    sides: np.ndarray
    gravity: int = 1

    def mapped(self, at_zyx: np.ndarray) -> "Body":
        """The body interpolated at the positions `at_zyx` `[3, z, y, x]`, in voxels."""
        hu = ndimage.map_coordinates(self.hu, at_zyx, order=1, mode="nearest")
        sides = ndimage.map_coordinates(self.sides, at_zyx, order=0, mode="constant")
        return Body(hu, sides, self.gravity)

    def mirrored(self) -> "Body":
        """The body mirrored along x; the lung that is now on the right is labelled as the right lung."""
        sides = np.array([0, LEFT, RIGHT], np.uint8)[self.sides[:, :, ::-1]]
        return Body(np.ascontiguousarray(self.hu[:, :, ::-1]), np.ascontiguousarray(sides), self.gravity)


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Random anatomy with a wide range of builds, of lung inflation and of heights of the diaphragm domes."""
    right = rng.uniform(-92, -38)
    return Anatomy(
        scale=1.0,
        fat_mm=float(rng.choice([rng.uniform(3, 15), rng.uniform(10, 45)])),
        breast_mm=float(rng.choice([0.0, rng.uniform(15, 55)])),
        dome_left_mm=right + rng.uniform(-28, 18),
        dome_right_mm=right,
        heart=rng.uniform(0.8, 1.3),
        lung_hu=rng.uniform(-900, -700),
        bubble_mm=rng.uniform(0, 40),
        table_mm=rng.uniform(2, 12),
    )


def draw_body(rng: np.random.Generator, centre_z_mm: float | None = None) -> Body:
    """Random healthy chest; `centre_z_mm` is the chest's z in the middle of the scan (before scaling) or random."""
    anatomy = draw_anatomy(rng)
    middle = rng.uniform(-45, 10) if centre_z_mm is None else centre_z_mm
    axes = Axes(
        *(
            (((np.arange(size) - (size - 1) / 2) * SPACING_MM + shift) / rng.uniform(*SCALE)).astype(np.float32)
            for size, shift in zip(SHAPE_ZYX, (middle, 8.0, 0.0), strict=True)
        )
    )
    texture = smooth_noise(rng, SHAPE_ZYX, 24.0) * np.float32(0.5)
    hu, lungs_mm = paint_chest(anatomy, axes, texture, SPACING_MM)
    _paint_vessels(rng, hu, lungs_mm, axes)
    _paint_belly(rng, hu, axes, anatomy)
    if rng.random() < 0.5:
        _paint_contrast(rng, hu, lungs_mm, axes, anatomy)
    _shape_shoulders(rng, hu, lungs_mm, axes, anatomy)
    x = np.broadcast_to(axes.x[None, None], hu.shape)
    return Body(hu, np.where(lungs_mm > 0, 0, np.where(x > 0, LEFT, RIGHT)).astype(np.uint8))


def varied(rng: np.random.Generator, body: Body) -> Body:
    """Random variant of a body: deformed, sometimes mirrored, sometimes lying on the front."""
    other = _bent(rng, body)
    if rng.random() < 0.25:
        other = other.mirrored()
    other.gravity = -1 if rng.random() < 0.15 else 1
    return other


def _paint_vessels(rng: np.random.Generator, hu: np.ndarray, lungs_mm: np.ndarray, axes: Axes) -> None:
    share = np.zeros_like(hu)
    z, y, x = np.nonzero(lungs_mm < -4)
    points = np.column_stack([axes.x[x], axes.y[y], axes.z[z]]).astype(float)
    for side, (hx, hy, hz) in HILA.items():
        own = points[points[:, 0] * side > 0]
        if not len(own):
            continue
        for lift_mm in (8.0, -12.0):
            targets = own[rng.choice(len(own), TWIGS)]
            add_tubes(share, axes, grow_tree(rng, (hx, hy, hz + lift_mm), targets), SPACING_MM)
    blend(hu, share * coverage(lungs_mm, SPACING_MM), rng.uniform(20, 250))


def _paint_contrast(
    rng: np.random.Generator, hu: np.ndarray, lungs_mm: np.ndarray, axes: Axes, anatomy: Anatomy
) -> None:
    """Paint contrast medium into the heart and the great vessels, in place."""
    share = np.zeros_like(hu)
    add_tubes(share, axes, great_vessels().grown(-1.0), SPACING_MM)
    box = (slice(None),) * 3
    x, y, z = axes.open(box)
    dx, dy, dz = x - 20, y + 26, z + 48
    turned = [a * dx + b * dy + c * dz for a, b, c in HEART_AXES]
    heart = ellipsoid(turned, [r * anatomy.heart * 0.85 for r in (60.0, 44.0, 43.0)])
    share = np.maximum(share, soft(heart)) * coverage(-lungs_mm, SPACING_MM)
    share *= hu > -200  # not into airways
    blend(hu, share, rng.uniform(90, 380))


def _paint_belly(rng: np.random.Generator, hu: np.ndarray, axes: Axes, anatomy: Anatomy) -> None:
    """Paint up to nine round organs (a wall around gas, fluid, contrast or a mixture) below the domes, in place."""
    low = np.flatnonzero(axes.z < min(anatomy.dome_left_mm, anatomy.dome_right_mm) - 25)
    if low.size < 4:
        return
    part = hu[: low[-1]]
    fat_or_muscle = part > -200
    for _ in range(rng.integers(0, 10)):
        centre = [rng.uniform(0, low[-1]), rng.uniform(0.2, 0.6) * len(axes.y), rng.uniform(0.2, 0.8) * len(axes.x)]
        outer = lump(rng, part.shape, np.array(centre), rng.uniform(8, 38), 0.3)
        inside = soft(outer) * fat_or_muscle
        filling = rng.choice([-950.0, -950.0, 20.0, 250.0, -300.0])
        blend(part, inside, 40.0)
        blend(part, soft(outer + 4) * fat_or_muscle, float(filling))


def _shape_shoulders(
    rng: np.random.Generator, hu: np.ndarray, lungs_mm: np.ndarray, axes: Axes, anatomy: Anatomy
) -> None:
    """Carve neck and shoulders above the lungs, with or without arms (down or up), or change nothing; in place."""
    x, y, z = axes.open((slice(None),) * 3)
    choice = rng.choice(["none", "neck", "arms down", "arms up"])
    if choice == "none":
        return
    above = np.maximum(z - rng.uniform(70, 100), 0)
    width = np.maximum(175 + anatomy.fat_mm - above * rng.uniform(0.8, 2.5), 62)
    depth = np.maximum(120 + anatomy.fat_mm - above * rng.uniform(0.4, 1.0), 62)
    outside = np.sqrt((x / width) ** 2 + ((y - 8) / depth) ** 2) > 1
    carved = outside & (above > 0) & (lungs_mm > 12) & (hu > -300)
    hu[carved] = -1000.0
    if choice == "neck":
        return
    radius, bone = rng.uniform(34, 55), rng.uniform(9, 14)
    for side in (-1, 1):
        if choice == "arms down":
            at_x = side * (152 + anatomy.fat_mm + radius * rng.uniform(0.8, 1.2)) + 0 * z
            at_y, there = rng.uniform(-20, 50), z < 130
        else:
            at_x = side * (110 + np.maximum(z - 60, 0) * rng.uniform(-0.2, 0.5))
            at_y, there = rng.uniform(-30, 30), z > 60
        off = np.sqrt((x - at_x) ** 2 + (y - at_y) ** 2)
        free = there & (lungs_mm > 15) & (hu < -200)
        blend(hu, soft(off - radius) * free, -90.0)
        blend(hu, soft(off - radius + rng.uniform(4, 14)) * free, 50.0)
        blend(hu, soft(off - bone) * free, 600.0)
        blend(hu, soft(off - bone + 4) * free, 150.0)


def _bent(rng: np.random.Generator, body: Body) -> Body:
    """The body after a smooth deformation and a small rotation; sometimes the mediastinum is shifted to a side."""
    shape = body.hu.shape
    at = np.stack(np.meshgrid(*(np.arange(size, dtype=np.float32) for size in shape), indexing="ij"))
    middle = (np.array(shape, np.float32) - 1) / 2
    angles = np.deg2rad(rng.normal(0, 5, 3))
    turn = np.eye(3, dtype=np.float32)
    for (first, second), angle in zip(((1, 2), (0, 2), (0, 1)), angles, strict=True):
        step = np.eye(3, dtype=np.float32)
        step[first, first] = step[second, second] = np.cos(angle)
        step[first, second], step[second, first] = -np.sin(angle), np.sin(angle)
        turn = turn @ step
    moved = np.tensordot(turn, at - middle[:, None, None, None], axes=1) + middle[:, None, None, None]
    for axis in range(3):
        for length_mm, amount_mm in ((150.0, 9.0), (50.0, 2.5)):
            noise = smooth_noise(rng, shape, length_mm)
            moved[axis] += noise * np.float32(rng.uniform(0, amount_mm) / SPACING_MM)
    if rng.random() < 0.3:
        push = rng.uniform(-35, 35) / SPACING_MM
        near = np.exp(-(((at[2] - middle[2]) * SPACING_MM / 70) ** 2))
        moved[2] += (push * near).astype(np.float32)
    return body.mapped(moved)
