"""Outlines are judged one by one; an unusual outline does not change the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contours import ring
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid
from ctseg.labels.outlines import rasterise

GRID = Grid((40, 60, 60), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
QUARTERS = [(15.2, 14.8), (44.9, 15.3), (15.1, 45.2), (44.7, 44.6)]  # separate centres (x, y)


def mask_of(contours: list[np.ndarray]) -> np.ndarray:
    return rasterise(contours, GRID, "GTV", "image").mask


def slices_of(mask: np.ndarray) -> list[int]:
    return np.flatnonzero(mask.any(axis=(1, 2))).tolist()


@st.composite
def lesions(draw):
    """Outlines of up to four separate lesions, each on every, every second or every third slice, some with a hole."""
    found = []
    for centre in QUARTERS[: draw(st.integers(1, 4))]:
        step, planes, first = draw(st.integers(1, 3)), draw(st.integers(4, 7)), draw(st.integers(3, 10))
        radius, hole = draw(st.floats(6, 11)), draw(st.booleans())
        depths = [first + step * index for index in range(planes)]
        outer = [ring(depth, radius, centre) for depth in depths]
        found.append(outer + [ring(depth, radius / 2, centre) for depth in depths if hole])
    return found


@settings(max_examples=50, deadline=None)
@given(lesions())
def test_lesions_of_one_structure_are_drawn_as_each_for_itself(found):
    together = mask_of([outline for lesion in found for outline in lesion])
    np.testing.assert_array_equal(together, np.any([mask_of(lesion) for lesion in found], axis=0))


@settings(max_examples=50, deadline=None)
@given(lesions(), st.randoms(use_true_random=False), st.floats(-0.01, 0.01), st.integers(1, 3))
def test_outlines_stored_again_in_any_order_and_nearly_the_same_plane_change_nothing(found, chance, off, copies):
    outlines = [outline for lesion in found for outline in lesion]
    stored = []
    for outline in outlines:
        for copy in range(1 + chance.randrange(copies)):
            again = np.roll(outline[:: chance.choice([1, -1])], chance.randrange(len(outline)), axis=0)
            stored.append(again.round(2) + np.array([0, 0, 2.0 * off * copy]))
    chance.shuffle(stored)
    found = rasterise(stored, GRID, "GTV", "image")
    np.testing.assert_array_equal(found.mask, mask_of([outline.round(2) for outline in outlines]))
    assert found.facts["stored_twice"] == len(stored) - len(outlines)


@settings(deadline=None)
@given(st.floats(-0.2, 0.2), st.integers(1, 3), st.integers(1, 8), st.booleans())
def test_a_hole_beside_its_plane_is_one(off, step, planes, island):
    depths = [5 + step * index for index in range(planes)]
    if planes == 1:
        off /= 2  # the distance of planes is unknown
    outer, hole = [ring(depth, 14) for depth in depths], [ring(depth + off, 9) for depth in depths]
    inner = [ring(depth, 4) for depth in depths] if island else []
    in_plane = [ring(depth, 9) for depth in depths]
    np.testing.assert_array_equal(mask_of(outer + hole + inner), mask_of(outer + in_plane + inner))


@settings(deadline=None)
@given(st.floats(0.2, 1.0), st.floats(0, 0.9))
def test_planes_nearer_than_slices_are_no_holes_of_each_other(distance, start):
    depths = np.arange(10 + start, 25, distance)
    radii = np.sqrt(np.maximum(9.0, 14**2 - (2 * (depths - 17.5)) ** 2))
    mask = mask_of([ring(depth, radius) for depth, radius in zip(depths, radii, strict=True)])
    y, x = np.indices(GRID.shape_zyx[1:])
    core = np.hypot(x - 30.1, y - 29.7) < 2.9
    filled = slices_of(mask)
    assert all(mask[index][core].all() for index in filled)
    assert filled == list(range(filled[0], filled[-1] + 1))
    assert mask.sum() * 2 == pytest.approx((np.pi * radii**2).sum() * 2 * distance, rel=0.08)


@settings(deadline=None)
@given(st.integers(0, 9), st.sampled_from(["below", "above"]), st.integers(1, 2))
def test_outlines_beyond_the_scan_do_not_touch_the_others(beyond, side, step):
    inside = (
        [ring(5 + step * index, 12) for index in range(10)] if step == 1 else [ring(k, 12) for k in range(4, 24, 2)]
    )
    shift = -40 if side == "below" else 60
    outside = [ring(shift + index, 12) for index in range(beyond)]
    found = rasterise(inside + outside, GRID, "GTV", "image")
    np.testing.assert_array_equal(found.mask, mask_of(inside))
    assert found.facts["beyond_scan"] == beyond
    assert len(found.warnings) == (beyond > 0)
    if beyond:
        with pytest.raises(InputError, match=f"{beyond} of {10 + beyond} contours .* set convert.beyond_scan: cut"):
            rasterise(inside + outside, GRID, "GTV", "image", "refuse")
    with pytest.raises(InputError, match="GTV lies outside of image: "):
        rasterise(inside + [ring(shift + index, 12) for index in range(10)], GRID, "GTV", "image")


def test_an_outline_around_no_voxel_interrupts_nothing():
    sparse = [ring(depth, 6) for depth in (3, 6, 9, 12)]
    speck = [ring(depth, 0.1, (30.5, 30.5)) for depth in (4.5, 7.5)]
    np.testing.assert_array_equal(mask_of(sparse + speck), mask_of(sparse))


def test_outlines_that_cross_are_united_and_walls_stay_thin():
    first, second = ring(5, 10, (25, 30)), ring(5, 10, (35, 30))
    np.testing.assert_array_equal(mask_of([first, second]), mask_of([first]) | mask_of([second]))
    redrawn = ring(5, 10, (25.4, 30.2))  # the same lesion outlined once more by hand
    np.testing.assert_array_equal(mask_of([first, redrawn]), mask_of([first]) | mask_of([redrawn]))
    wall = mask_of([ring(5, 20), ring(5, 18.5)])
    np.testing.assert_array_equal(wall, mask_of([ring(5, 20)]) & ~mask_of([ring(5, 18.5)]))


@pytest.mark.parametrize(
    ("depths", "text"),
    [
        ([5.5], "the contour lies 1 mm beside the nearest slice of the scan and was drawn on it"),
        ([5.5, 6.5, 7.5], "all 3 contours lie 1 mm beside the nearest slice of the scan and were drawn on it"),
        ([5.7, 6.7, 8.2], "all 3 contours lie 0.4 to 0.6 mm beside the nearest slice of the scan and were drawn on it"),
        ([4.97, 5.97], "all 2 contours lie 0.06 mm beside the nearest slice of the scan and were drawn on it"),
    ],
)
def test_contours_that_all_lie_between_slices_are_told(depths, text):
    assert rasterise([ring(depth, 10) for depth in depths], GRID, "GTV", "image").warnings == (text,)
    assert rasterise([ring(depth, 10) for depth in [*depths, 20]], GRID, "GTV", "image").warnings == ()


def test_contours_beside_slices_by_rounding_are_not_told():
    assert rasterise([ring(depth + 0.024, 10) for depth in range(5, 9)], GRID, "GTV", "image").warnings == ()


def test_outlines_aside_of_the_scan_do_not_touch_the_others():
    inside = [ring(depth, 10) for depth in range(5, 15)]
    aside = [ring(depth, 3, (-20, 30)) for depth in range(5, 15)]  # a column without a pixel of the scan
    found = rasterise(inside + aside, GRID, "GTV", "image")
    np.testing.assert_array_equal(found.mask, mask_of(inside))
    assert found.warnings[0].startswith("10 of 20 contours reach beyond the scan")


def test_contours_without_an_area_and_contours_between_voxels_are_told():
    flat = np.array([[5.0, 5, 10], [9, 5, 10], [7, 5, 10]])
    for contours, why in (
        ([flat], "its 1 closed contours enclose no voxel's centre"),
        ([], "it has no closed contour"),
    ):
        found = rasterise(contours, GRID, "GTV", "image")
        assert not found.mask.any()
        assert found.empty == why
    assert rasterise([ring(5, 10)], GRID, "GTV", "image").empty == ""


def test_a_contour_with_a_wild_point_is_refused_in_little_memory():
    for far in (1e9, 1e300):
        wild = ring(5, 10)
        wild[7] = [far, -far, 10]
        with pytest.raises(InputError, match="1 of 1 contours reaches beyond the scan"):
            rasterise([wild], GRID, "GTV", "image")
