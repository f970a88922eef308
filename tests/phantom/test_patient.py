"""Patients of the phantom: reproducible by seed, within their settings, and not solvable by a threshold."""

from functools import cache

import numpy as np
import pytest

from balls import ball_volume_mm3
from ctseg.geometry.volume import AIR_HU
from ctseg.masks.mask_outlines import slice_contours
from ctseg.phantom.nodules import DIAMETER_RANGE_MM
from ctseg.phantom.patient import Phantom, PhantomSettings, make_phantom

SETTINGS = PhantomSettings(seed=1, spacing_mm=(2.0, 2.2), slice_distance_mm=(2.6, 3.0), nodules=(2, 5))
INDICES = (0, 1)


@cache
def patient(index: int) -> Phantom:
    return make_phantom(SETTINGS, index)


@cache
def distances_mm(index: int) -> np.ndarray:
    """Signed distances in mm [nodule, z, y, x] of all voxel centres to the nodules of a patient."""
    phantom = patient(index)
    grid = phantom.label.grid
    x, y, z = (
        (first + step * np.arange(n)).astype(np.float32)
        for first, step, n in zip(grid.origin_xyz_mm, grid.spacing_xyz_mm, grid.shape_zyx[::-1], strict=True)
    )
    return np.stack([n.distance(x[None, None, :], y[None, :, None], z[:, None, None]) for n in phantom.nodules])


def test_the_same_seed_and_index_give_the_same_bytes() -> None:
    again = make_phantom(SETTINGS, 1)
    for name in ("image", "label", "lungs"):
        assert getattr(again, name).voxels_zyx.tobytes() == getattr(patient(1), name).voxels_zyx.tobytes()
        assert getattr(again, name).grid == getattr(patient(1), name).grid
    assert again.nodules == patient(1).nodules


def test_another_seed_or_index_is_another_patient() -> None:
    other_seed = make_phantom(PhantomSettings(2, SETTINGS.spacing_mm, SETTINGS.slice_distance_mm, (2, 5)), 1)
    nodules = {patient(0).nodules, patient(1).nodules, other_seed.nodules}
    assert len(nodules) == 3


@pytest.mark.parametrize("index", INDICES)
def test_a_patient_keeps_to_the_settings(index: int) -> None:
    phantom = patient(index)
    dx, dy, dz = phantom.image.grid.spacing_xyz_mm
    assert dx == dy
    assert 2.0 <= dx <= 2.2
    assert 2.6 <= dz <= 3.0
    assert 2 <= len(phantom.nodules) <= 5
    assert all(DIAMETER_RANGE_MM[0] * 0.8 <= n.diameter_mm <= DIAMETER_RANGE_MM[1] for n in phantom.nodules)
    assert 340 <= dx * phantom.image.grid.shape_zyx[2] <= 390
    assert 255 <= dz * phantom.image.grid.shape_zyx[0] <= 330


@pytest.mark.parametrize("index", INDICES)
def test_volumes_share_a_grid_and_hold_what_they_say(index: int) -> None:
    phantom = patient(index)
    assert phantom.image.grid == phantom.label.grid == phantom.lungs.grid
    assert (phantom.image.voxels_zyx.dtype, phantom.label.voxels_zyx.dtype) == (np.int16, np.uint8)
    assert set(np.unique(phantom.label.voxels_zyx)) == set(np.unique(phantom.lungs.voxels_zyx)) == {0, 1}
    assert phantom.image.voxels_zyx.min() >= AIR_HU
    litres = phantom.lungs.voxels_zyx.sum() * phantom.lungs.grid.voxel_volume_mm3 / 1e6
    assert 3 < litres < 6.5


@pytest.mark.parametrize("index", INDICES)
def test_the_label_is_the_nodules_shapes_cut_at_the_pleura(index: int) -> None:
    phantom = patient(index)
    shapes = distances_mm(index)
    label, lungs = phantom.label.voxels_zyx > 0, phantom.lungs.voxels_zyx > 0
    near_surface = np.abs(shapes).min(axis=0) < 1e-3  # float32 rounding may decide either way
    expected = (shapes.min(axis=0) <= 0) & lungs
    assert ((label == expected) | near_surface).all()
    assert not (label & ~lungs).any()


@pytest.mark.parametrize("index", INDICES)
def test_nodules_do_not_touch_and_free_ones_are_whole(index: int) -> None:
    phantom = patient(index)
    inside = distances_mm(index) <= 0
    assert inside.sum(axis=0).max() == 1
    lungs = phantom.lungs.voxels_zyx > 0
    for nodule, mask in zip(phantom.nodules, inside, strict=True):
        if nodule.at_pleura:
            assert 0.4 < (mask & lungs).sum() / mask.sum() < 1
        else:
            assert not (mask & ~lungs).any()
            if not nodule.lobes and nodule.diameter_mm > 10:
                volume = mask.sum() * phantom.label.grid.voxel_volume_mm3
                assert volume == pytest.approx(ball_volume_mm3(nodule.diameter_mm), rel=0.06)


@pytest.mark.parametrize("index", INDICES)
def test_tissues_have_their_hu(index: int) -> None:
    phantom = patient(index)
    image, label, lungs = (v.voxels_zyx for v in (phantom.image, phantom.label, phantom.lungs))
    assert -880 < np.median(image[(lungs > 0) & (label == 0)]) < -760
    for nodule, distance in zip(phantom.nodules, distances_mm(index), strict=True):
        if nodule.core == 1 and nodule.diameter_mm > 15:
            middle = distance < -5
            assert image[middle & (label > 0)].mean() == pytest.approx(nodule.hu, abs=15)
    assert (image[:, :3, :3] == AIR_HU).all()
    assert image.max() > 400


@pytest.mark.parametrize("index", INDICES)
def test_no_threshold_in_the_lungs_finds_the_nodules(index: int) -> None:
    phantom = patient(index)
    lungs = phantom.lungs.voxels_zyx > 0
    hu, truth = phantom.image.voxels_zyx[lungs], phantom.label.voxels_zyx[lungs] > 0
    dice = [2 * ((hu > t) & truth).sum() / ((hu > t).sum() + truth.sum()) for t in range(-800, 100, 50)]
    assert max(dice) < 0.47


@pytest.mark.parametrize(
    "rows", [["#"], ["##", "#."], ["#.", ".#"], ["###", "#.#", "###"], [".#.#.", "#####", "..#.."]]
)
def test_contours_enclose_the_pixels_less_half_a_pixel_a_loop(rows: list[str]) -> None:
    mask = np.array([[c == "#" for c in row] for row in rows])
    outlines = slice_contours(mask)
    areas = []
    for outline in outlines:
        y, x = outline.T
        areas.append((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)
    outer = [area for area in areas if area > 0]
    holes = [area for area in areas if area < 0]
    # Corners cut at 45° remove half a pixel from every outer outline and from every hole.
    assert sum(outer) + sum(holes) == pytest.approx(mask.sum() - len(outer) / 2 + len(holes) / 2)
