"""Offset of a label from its image: silent within rounding, reported up to a tenth of a voxel, rejected above."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.alignment import Tolerance, off_xyz_mm, placed, require_aligned
from grids import counting

GRID = Grid((6, 8, 9), (1.0, 1.5, 2.0), (-9.0, 4.0, 30.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
TOLERANCE = Tolerance(0.05, 0.1)


def moved(grid: Grid, *off_xyz_mm: float) -> Grid:
    origin = np.add(grid.origin_xyz_mm, off_xyz_mm)
    return replace(grid, origin_xyz_mm=tuple(origin.tolist()))


@pytest.mark.parametrize(
    ("spacing_mm", "config_mm", "silent_mm", "allowed_mm"),
    [(1.0, None, 0.05, 0.1), (5.0, None, 0.1, 0.5), (0.3, None, 0.05, 0.1), (5.0, 0.2, 0.1, 0.2)],
)
def test_the_tolerance_grows_with_the_voxels_unless_the_config_says_it(spacing_mm, config_mm, silent_mm, allowed_mm):
    grid = Grid(GRID.shape_zyx, (spacing_mm, 2 * spacing_mm, 7 * spacing_mm), GRID.origin_xyz_mm, GRID.direction)
    assert Tolerance.of(grid, config_mm) == Tolerance(silent_mm, allowed_mm)


@given(st.floats(0, 1))
def test_a_distance_is_silent_told_or_refused(off_mm):
    told, refused = TOLERANCE.told(off_mm), TOLERANCE.refuses(off_mm)
    assert refused == (off_mm > 0.1001)
    assert bool(told) == (off_mm > 0.0501)
    assert Tolerance(0.05, 0.0).refuses(off_mm) == (off_mm > 0.0501)  # silent offsets are always allowed


def test_the_advice_allows_what_was_refused():
    advice = TOLERANCE.advice(0.2)
    assert advice.startswith("0.1 mm are allowed")
    allowed_mm = float(advice.rpartition(" ")[2])
    assert not Tolerance(0.05, allowed_mm).refuses(0.2)
    assert "label_off_mm" not in TOLERANCE.advice(11)  # above the maximum of the config


@given(st.tuples(*[st.floats(-3, 3)] * 3))
def test_distances_are_told_by_axis(off_mm):
    np.testing.assert_allclose(off_xyz_mm(moved(GRID, *off_mm), GRID), np.abs(off_mm), atol=1e-9)


def test_a_label_beside_its_image_is_named_with_the_axes():
    assert require_aligned(moved(GRID, 0.04, 0, 0), GRID, "label", "image", TOLERANCE) == []
    [told] = require_aligned(moved(GRID, 0, 0.08, 0), GRID, "label", "image", TOLERANCE)
    assert told.startswith("the label lies 0.08 mm beside the voxels of its scan")
    with pytest.raises(InputError, match=r"label and image .* up to 0\.3 mm apart \(along x 0\.2, z 0\.3 mm\)"):
        require_aligned(moved(GRID, 0.2, 0, -0.3), GRID, "label", "image", TOLERANCE)
    with pytest.raises(InputError, match=r"6 x 8 x 9 voxels \(z, y, x\) against 7 x 8 x 9"):
        require_aligned(GRID, replace(GRID, shape_zyx=(7, 8, 9)), "label", "image", TOLERANCE)


@given(st.tuples(*[st.tuples(st.integers(0, 3), st.integers(4, 6))] * 3))
def test_a_part_is_placed_where_it_says(bounds):
    box = tuple(slice(*ends) for ends in bounds)
    whole = counting(GRID)
    voxels, told = placed(whole.cropped(box), GRID, "label", "image", TOLERANCE, "refuse")
    expected = np.zeros_like(whole.voxels_zyx)
    expected[box] = whole.voxels_zyx[box]
    np.testing.assert_array_equal(voxels, expected)
    assert told == []


def test_what_reaches_beyond_the_image_is_cut_and_told_or_refused():
    part = Volume(np.ones((6, 8, 9), np.uint8), moved(GRID, 0, 0, -4))  # two slices below
    voxels, [told] = placed(part, GRID, "label", "image", TOLERANCE, "cut")
    assert voxels[:4].all()
    assert not voxels[4:].any()
    assert told.startswith("144 of 432 voxels reach beyond the scan, by up to 4 mm")
    with pytest.raises(InputError, match=r"label extends beyond image: .* 33\.3%"):
        placed(part, GRID, "label", "image", TOLERANCE, "refuse")
    with pytest.raises(InputError, match="label lies outside of image"):
        placed(replace(part, grid=moved(GRID, 0, 0, -100)), GRID, "label", "image", TOLERANCE, "cut")
