"""Simulated cases to train or test the lung network: image, sides, and dense disease added to the lungs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctseg.lung_training.bodies import Body, draw_body, varied
from ctseg.lung_training.central import hilar_mass
from ctseg.lung_training.negatives import NEGATIVES
from ctseg.lung_training.scanner import scan
from ctseg.lung_training.sickness import SICKNESSES, WEIGHTS, make_sick

SHARE_HEALTHY = 0.2
MOST_SICKNESSES = 3  # in one case


@dataclass(frozen=True)
class MadeCase:
    """A case: int16 HU, sides (uint8, 1 = right, 2 = left lung) and added dense disease (uint8), all `[z, y, x]`.

    Axes point to head, back and left; `kind` names the content.
    """

    kind: str
    image_zyx: np.ndarray
    sides_zyx: np.ndarray
    added_zyx: np.ndarray


def sick_case(rng: np.random.Generator, body: Body, names: Sequence[str] | None = None) -> MadeCase:
    """Scan of a random variant of `body` with the given sicknesses, or with zero to three random ones."""
    if names is None:
        count = rng.integers(1, MOST_SICKNESSES + 1) if rng.random() > SHARE_HEALTHY else 0
        names = rng.choice(list(SICKNESSES), count, p=WEIGHTS).tolist()
    body = varied(rng, body)
    added = np.zeros(body.hu.shape, bool)
    for name in names:
        added |= make_sick(rng, body, name)
    return MadeCase(" + ".join(names) or "healthy", *scan(rng, body, added))


def phantom_cases(seed: int, bodies: int, versions: int) -> list[MadeCase]:
    """`versions` cases of each of `bodies` phantom chests."""
    return [
        sick_case(np.random.default_rng([seed, 1, number, version]), body)
        for number in range(bodies)
        for body in [draw_body(np.random.default_rng([seed, 0, number]))]
        for version in range(versions)
    ]


def real_cases(seed: int, bodies: Sequence[Body], versions: int) -> list[MadeCase]:
    """`versions` cases of each real chest in `bodies`."""
    return [
        sick_case(np.random.default_rng([seed, 2, number, version]), body)
        for number, body in enumerate(bodies)
        for version in range(versions)
    ]


def negative_cases(seed: int, count: int, bodies: Sequence[Body]) -> list[MadeCase]:
    """`count` simulated bodies without lungs, each kind in turn, and a scan of each real body in `bodies`."""
    cases = []
    for number in range(count):
        rng = np.random.default_rng([seed, 3, number])
        kind = list(NEGATIVES)[number % len(NEGATIVES)]
        cases.append(MadeCase(kind, *scan(rng, NEGATIVES[kind](rng))))
    for number, body in enumerate(bodies):
        rng = np.random.default_rng([seed, 4, number])
        cases.append(MadeCase("real, without lungs", *scan(rng, varied(rng, body))))
    return cases


def central_cases(seed: int, bodies: Sequence[Body], versions: int) -> list[MadeCase]:
    """`versions` cases of each body, each with a hilar tumour (if a place exists) and up to two sicknesses."""
    cases = []
    for number, body in enumerate(bodies):
        for version in range(versions):
            rng = np.random.default_rng([seed, 5, number, version])
            other = varied(rng, body)
            added = hilar_mass(rng, other)
            names = rng.choice(list(SICKNESSES), rng.integers(0, MOST_SICKNESSES), p=WEIGHTS).tolist()
            for name in names:
                added |= make_sick(rng, other, name)
            cases.append(MadeCase(" + ".join(["hilar mass", *names]), *scan(rng, other, added)))
    return cases
