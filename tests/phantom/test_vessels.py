"""Vessel trees reach all parts of a lung."""

import numpy as np

from ctseg.phantom.vessels import grow_tree


def test_a_tree_reaches_every_target_and_thins_out() -> None:
    rng = np.random.default_rng(3)
    targets = rng.uniform(10, 90, (40, 3))
    tubes = grow_tree(rng, (0.0, 0.0, 0.0), targets)
    to_ends = np.linalg.norm(targets[:, None] - tubes.end_xyz_mm[None], axis=2).min(axis=1)
    assert to_ends.max() < 1e-4
    assert tubes.start_radius_mm.argmax() == 0
    assert (tubes.end_radius_mm <= tubes.start_radius_mm + 1e-6).all()
