"""The phantom's pulmonary vessels: trees of tapering tubes that fill each lung from its hilum."""

import numpy as np

from ctseg.phantom.shapes import Point, Tubes

TERMINALS = 620  # twigs of one tree; a lung has one tree of arteries and one of veins
TWIG_RADIUS_MM = 0.85
TIP_RADIUS_MM = 0.65
LONGEST_STEP_MM = 10.0  # tubes are kept short, since the box around a short tube is small
WIGGLE = 0.12  # sideways shift of a branch's middle, as a fraction of its length

Branch = tuple[np.ndarray, np.ndarray, float, float]  # start, end, and the radius at each


def grow_tree(rng: np.random.Generator, root_xyz_mm: Point, targets_xyz_mm: np.ndarray) -> Tubes:
    """A tree of slightly bent branches from the root to every one of the (n, 3) target points.

    The targets are divided along their longest axis again and again; each part is fed by one branch, so branches
    fill space without crossing much. The cube of a branch's radius is the sum of the cubes of its children's
    radii (Murray, "The physiological principle of minimum work", PNAS 12, 1926).
    """
    branches: list[Branch] = []
    open_ends = [(np.array(root_xyz_mm), targets_xyz_mm)]
    while open_ends:
        start, targets = open_ends.pop()
        radius = TWIG_RADIUS_MM * len(targets) ** (1 / 3)
        if len(targets) == 1:
            branches.append((start, targets[0], radius, TIP_RADIUS_MM))
            continue
        fork = start + (targets.mean(axis=0) - start) * rng.uniform(0.35, 0.6)
        branches.append((start, fork, radius, 0.9 * radius))
        order = np.argsort(targets[:, np.ptp(targets, axis=0).argmax()], kind="stable")
        cut = min(max(1, int(len(targets) * rng.uniform(0.3, 0.7))), len(targets) - 1)
        open_ends += [(fork, targets[order[:cut]]), (fork, targets[order[cut:]])]
    return _bent(rng, branches)


def _bent(rng: np.random.Generator, branches: list[Branch]) -> Tubes:
    """The branches as short tubes, each branch bent along half a sine wave."""
    start, end = (np.array([branch[k] for branch in branches]) for k in (0, 1))
    radii = np.array([branch[2:] for branch in branches])
    length = np.linalg.norm(end - start, axis=1)
    bend = rng.normal(size=start.shape) * WIGGLE * length[:, None]
    count = np.maximum(2, np.ceil(length / LONGEST_STEP_MM).astype(int))
    which = np.repeat(np.arange(len(branches)), count)
    step = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)

    def point(t: np.ndarray) -> np.ndarray:
        t = t[:, None]
        return (start[which] * (1 - t) + end[which] * t + np.sin(np.pi * t) * bend[which]).astype(np.float32)

    def radius(t: np.ndarray) -> np.ndarray:
        return (radii[which, 0] * (1 - t) + radii[which, 1] * t).astype(np.float32)

    first, last = step / count[which], (step + 1) / count[which]
    return Tubes(point(first), point(last), radius(first), radius(last))
