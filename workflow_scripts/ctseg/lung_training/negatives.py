"""Simulated bodies without lungs: heads, limbs, bellies, and test objects of scanners."""

from collections.abc import Callable

import numpy as np

from ctseg.geometry.volume import Shape
from ctseg.lung_training.bodies import Body, draw_body
from ctseg.lung_training.random_fields import blend, lump, millimetres, smooth_noise, soft


def _empty(hu: np.ndarray) -> Body:
    return Body(hu, np.zeros(hu.shape, np.uint8))


def _ellipse(parts: list[np.ndarray], radii: list[float]) -> np.ndarray:
    """Approximate signed distance in mm to an ellipsoid or a cylinder, usable near its surface."""
    level = np.sqrt(sum((part / radius) ** 2 for part, radius in zip(parts, radii, strict=True)))
    return ((level - 1) * min(radii)).astype(np.float32)


def head(rng: np.random.Generator) -> Body:
    """A skull with brain, sinuses and airways, on a neck."""
    shape: Shape = (int(rng.integers(50, 100)), 88, 88)
    z, y, x = millimetres(shape)
    z = z - rng.uniform(-20, 60)
    hu = np.full(shape, -1000, np.float32)
    skin = _ellipse([x, y, z], [rng.uniform(72, 88), rng.uniform(88, 108), rng.uniform(95, 120)])
    neck = np.maximum(_ellipse([x + 0 * z, y - 20 + 0 * z], [rng.uniform(50, 75)] * 2), z + 10)
    blend(hu, soft(np.minimum(skin, neck)), 30.0)
    blend(hu, soft(skin + 5), rng.uniform(600, 1300))
    texture = smooth_noise(rng, shape, 15.0)
    blend(hu, soft(skin + rng.uniform(9, 14)), 35 + 5 * texture)
    face = (z < 5) & (y < 20)
    blend(hu, soft(skin + 8) * face, 50 + 60 * texture)
    for _ in range(rng.integers(3, 14)):
        centre = np.array(
            [rng.uniform(0.1, 0.7) * shape[0], rng.uniform(0.15, 0.6) * shape[1], rng.uniform(0.3, 0.7) * shape[2]]
        )
        air = soft(lump(rng, shape, centre, rng.uniform(4, 22), 0.3)) * (skin < -8)
        blend(hu, air, rng.choice([-1000.0, -950.0, 20.0]))
    tube = np.sqrt(x * x + (y - rng.uniform(-5, 10)) ** 2) - rng.uniform(6, 14)
    blend(hu, soft(tube + 0 * z) * (z < -10) * (np.minimum(skin, neck) < 0), -1000.0)
    return _empty(hu)


def limbs(rng: np.random.Generator) -> Body:
    """One or two arms or legs with their bones, and fat between muscles."""
    shape: Shape = (int(rng.integers(40, 110)), int(rng.integers(56, 90)), int(rng.integers(60, 130)))
    z, y, x = millimetres(shape)
    hu = np.full(shape, -1000, np.float32)
    texture = smooth_noise(rng, shape, 30.0)
    for side in (-1, 1) if rng.random() < 0.6 else (0,):
        at = (
            side * rng.uniform(70, 100) + z * rng.uniform(-0.2, 0.2),
            rng.uniform(-20, 20) + z * rng.uniform(-0.15, 0.15),
        )
        radius = rng.uniform(35, 95) + z * rng.uniform(-0.15, 0.15)
        off = np.sqrt((x - at[0]) ** 2 + ((y - at[1]) * rng.uniform(0.85, 1.2)) ** 2) - radius
        blend(hu, soft(off), -100.0)
        inner = off + rng.uniform(3, 25)
        blend(hu, soft(inner), np.where(texture > rng.uniform(0.5, 2), -80.0, 55.0).astype(np.float32))
        for _ in range(rng.integers(1, 3)):
            shift = rng.uniform(-20, 20, 2)
            bone = np.sqrt((x - at[0] - shift[0]) ** 2 + (y - at[1] - shift[1]) ** 2) - rng.uniform(7, 22)
            blend(hu, soft(bone + 0 * z), 900.0)
            blend(hu, soft(bone + rng.uniform(3, 7) + 0 * z), rng.uniform(-60, 250))
    return _empty(_on_table(rng, hu))


def belly(rng: np.random.Generator) -> Body:
    """The trunk far below the domes, with bowel gas."""
    body = draw_body(rng, centre_z_mm=rng.uniform(-420, -330))
    return _empty(body.hu)


def test_object(rng: np.random.Generator) -> Body:
    """Cylinders or boxes of water, foam and plastic, some with inserts as dense as lungs; or only air."""
    shape: Shape = (int(rng.integers(24, 80)), int(rng.integers(50, 110)), int(rng.integers(50, 130)))
    z, y, x = millimetres(shape)
    hu = np.full(shape, -1000, np.float32)
    radius = rng.uniform(40, 180)
    if rng.random() < 0.5:
        solid = np.sqrt(x * x + y * y) - radius + 0 * z
    else:
        solid = np.maximum(np.abs(x) - radius, np.abs(y) - radius * rng.uniform(0.2, 0.9)) + 0 * z
    if rng.random() < 0.9:
        blend(hu, soft(solid), 120.0)
        blend(hu, soft(solid + rng.uniform(3, 12)), rng.choice([0.0, -850.0, -700.0, -950.0, 60.0]))
        for _ in range(rng.integers(0, 7)):
            at = rng.uniform(-0.6, 0.6, 2) * radius
            insert = np.sqrt((x - at[0]) ** 2 + (y - at[1]) ** 2) - rng.uniform(5, 30) + 0 * z
            blend(hu, soft(np.maximum(insert, solid)), rng.choice([-1000.0, -850.0, -100.0, 300.0, 1000.0]))
    return _empty(_on_table(rng, hu))


def _on_table(rng: np.random.Generator, hu: np.ndarray) -> np.ndarray:
    """Add a table with a shell around foam below the body, in place; return `hu`."""
    _, y, x = millimetres(hu.shape)
    table = np.abs(y + x * x / rng.uniform(800, 3000) - rng.uniform(70, 140)) - 12
    free = hu < -800
    shell = np.where(table < -3, -900.0, -300.0) + 0 * hu
    blend(hu, soft(table + 0 * hu) * free, shell.astype(np.float32))
    return hu


NEGATIVES: dict[str, Callable[[np.random.Generator], Body]] = {
    "head": head,
    "limbs": limbs,
    "belly": belly,
    "test object": test_object,
}
