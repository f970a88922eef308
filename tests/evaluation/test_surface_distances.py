import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ctseg.evaluation.surface_distances import surface_distances

SPACING = (2.0, 0.8, 1.25)


def blob(rng, shape):
    """Random mask of one or several components, which may be empty or touch the border."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape), 1.5)
    return field > np.quantile(field, rng.choice([0.6, 0.9, 1.0]))


pytestmark = pytest.mark.filterwarnings("ignore:Please import", "ignore:.*always_return")


@pytest.fixture(scope="module")
def oracle():
    """Package surface-distance of DeepMind, with names restored that newer NumPy and SciPy have removed."""
    np.Inf = np.inf  # noqa: NPY201
    if not hasattr(ndimage, "filters"):
        ndimage.filters = ndimage
    from surface_distance import metrics

    return metrics


def test_200_random_pairs_equal_the_reference_implementation(oracle):
    rng = np.random.default_rng(0)
    for number in range(200):
        shape = tuple(rng.integers(5, 16, 3))
        spacing = tuple(rng.uniform(0.5, 3, 3))
        reference, prediction = blob(rng, shape), blob(rng, shape)
        ours = surface_distances(reference, prediction, spacing)
        theirs = oracle.compute_surface_distances(reference, prediction, spacing)
        np.testing.assert_allclose(ours.from_reference_mm, theirs["distances_gt_to_pred"], atol=1e-6)
        np.testing.assert_allclose(ours.from_prediction_mm, theirs["distances_pred_to_gt"], atol=1e-6)
        assert ours.reference_areas_mm2.sum() == pytest.approx(theirs["surfel_areas_gt"].sum())
        if reference.any() and prediction.any():
            for tolerance in (0.5, 1.0, 2.5):
                expected = oracle.compute_surface_dice_at_tolerance(theirs, tolerance)
                assert ours.surface_dice(tolerance) == pytest.approx(expected, abs=1e-6), number
            assert ours.hausdorff_mm(100) == pytest.approx(oracle.compute_robust_hausdorff(theirs, 100), abs=1e-6)
            assert ours.hausdorff_mm(95) == pytest.approx(oracle.compute_robust_hausdorff(theirs, 95), abs=1e-6)
            means = oracle.compute_average_surface_distance(theirs)
            areas = [theirs["surfel_areas_gt"].sum(), theirs["surfel_areas_pred"].sum()]
            assert ours.mean_mm() == pytest.approx(np.average(means, weights=areas), abs=1e-6)


def test_monai_measures_between_border_voxels_so_the_largest_distance_differs_by_less_than_two_voxels():
    torch = pytest.importorskip("torch")
    from monai.metrics import compute_hausdorff_distance

    rng = np.random.default_rng(1)
    for _ in range(30):
        reference, prediction = blob(rng, (12, 14, 10)), blob(rng, (12, 14, 10))
        if reference.any() and prediction.any():
            pair = [torch.from_numpy(mask)[None, None].float() for mask in (prediction, reference)]
            theirs = float(compute_hausdorff_distance(*pair, include_background=True, spacing=list(SPACING)))
            ours = surface_distances(reference, prediction, SPACING).hausdorff_mm(100)
            assert abs(ours - theirs) < 2 * np.linalg.norm(SPACING)


@given(st.tuples(*[st.integers(2, 9)] * 3), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_a_box_that_is_moved_lies_as_far_as_it_was_moved(size, steps):
    masks = []
    for start in (2, 2 + steps):
        mask = np.zeros((20, 20, 20), bool)
        mask[start : start + size[0], 3 : 3 + size[1], 3 : 3 + size[2]] = True
        masks.append(mask)
    found = surface_distances(*masks, SPACING)
    assert found.hausdorff_mm(100) == pytest.approx(steps * SPACING[0])
    assert found.surface_dice(steps * SPACING[0]) == 1
    assert found.mean_mm() <= steps * SPACING[0] + 1e-9


def test_concentric_balls_lie_as_far_apart_as_their_radii():
    places = np.linalg.norm(np.indices((60, 60, 60)) - 29.5, axis=0)
    found = surface_distances(places < 20, places < 15, (1.0, 1.0, 1.0))
    # Surface points are up to a voxel from the true surface, and the nearest of them counts.
    assert found.mean_mm() == pytest.approx(5, abs=0.7)
    assert found.hausdorff_mm() == pytest.approx(5, abs=0.7)
    assert found.reference_areas_mm2.sum() == pytest.approx(4 * np.pi * 20**2, rel=0.1)
    assert found.surface_dice(3) == 0
    assert found.surface_dice(7) == 1


def test_empty_masks_have_no_distance():
    empty, full = np.zeros((4, 4, 4), bool), np.ones((4, 4, 4), bool)
    for reference, prediction in ((empty, full), (full, empty)):
        found = surface_distances(reference, prediction, SPACING)
        assert np.isnan(found.hausdorff_mm())
        assert np.isnan(found.mean_mm())
        assert found.surface_dice(5) == 0
    neither = surface_distances(empty, empty, SPACING)
    assert np.isnan([neither.hausdorff_mm(), neither.mean_mm(), neither.surface_dice(1)]).all()
    with pytest.raises(ValueError, match="different shape"):
        surface_distances(empty, full[1:], SPACING)


def test_a_mask_at_the_border_of_the_scan_is_closed_there():
    full = np.ones((6, 6, 6), bool)
    found = surface_distances(full, full, (1.0, 1.0, 1.0))
    assert found.mean_mm() == 0
    assert found.reference_areas_mm2.sum() == pytest.approx(6 * 36, rel=0.15)
