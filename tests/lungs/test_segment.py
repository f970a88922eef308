import numpy as np
import pytest
from scipy import ndimage

from chests import chest
from ctseg.geometry.volume import Volume
from ctseg.lungs import network, segment
from ctseg.lungs.coarse import FULL
from ctseg.lungs.segment import segment_lungs, sick_parts, thick_parts


def answers(monkeypatch, change):
    """Replace the lung network: its result is `change` applied to the coarse lung field of the threshold method."""

    def network_lungs(coarse):
        lungs = segment.threshold_lungs(coarse)
        return Volume(change(lungs).astype(np.uint8) * np.uint8(FULL), coarse.grid)

    monkeypatch.setattr(network, "network_lungs", network_lungs)


def test_the_threshold_is_the_default_and_tells_as_before():
    found = segment_lungs(chest()[0])
    assert set(found.facts) == {"volume_cm3", "mean_hu", "cut_fraction", "plausible", "reason"}
    assert found.facts["plausible"]


@pytest.mark.parametrize(("method", "used"), [("network", "network"), ("auto", "both")])
def test_a_plausible_field_of_the_network_is_taken(monkeypatch, method, used):
    answers(monkeypatch, lambda lungs: lungs)
    image = chest()[0]
    found = segment_lungs(image, method)
    assert found.facts["method"] == used
    assert found.facts["agreement"] == 1.0
    np.testing.assert_array_equal(found.lungs.voxels_zyx, segment_lungs(image).lungs.voxels_zyx)


def test_auto_holds_what_either_method_finds(monkeypatch):
    image = chest()[0]

    def one_lung_and_more(lungs):
        lungs = lungs.copy()
        lungs[..., : lungs.shape[2] // 2] = False
        lungs[20:40, 40:50, 60:80] = True
        return lungs

    answers(monkeypatch, one_lung_and_more)
    found = segment_lungs(image, "auto")
    assert found.facts["method"] == "both"
    assert 0.5 < found.facts["agreement"] < 0.8
    parts = [segment_lungs(image, method).lungs.voxels_zyx > 0 for method in ("threshold", "network")]
    assert parts[1][parts[0]].mean() < 0.6
    inside = found.lungs.voxels_zyx > 0
    assert inside[parts[0]].all()
    assert inside[parts[1]].mean() > 0.999
    assert not inside[~(parts[0] | parts[1])].any()


def test_shells_and_parts_that_lie_apart_are_no_sick_parts():
    air = np.zeros((40, 40, 60), bool)
    air[10:30, 10:30, 10:25] = True
    network = air.copy()
    network[9:31, 9:31, 9:26] = True  # a shell of one voxel
    network[15:25, 15:25, 25:35] = True  # a mass on the lung
    network[15:25, 15:25, 45:55] = True  # a separate object
    found = sick_parts(network, air)
    assert found[15:25, 15:25, 26:35].all()
    assert not found[:, :, 40:].any()
    assert not found[:, :, :10].any()
    assert not found[air].any()


def test_a_lung_without_air_counts_although_it_lies_apart():
    air = np.zeros((40, 40, 60), bool)
    air[5:35, 5:35, 5:25] = True
    network = air.copy()
    network[5:35, 5:35, 33:53] = True
    found = sick_parts(network, air)
    assert found[5:35, 5:35, 33:53].all()
    assert not found[:, :, :33].any()


def test_parts_are_thick_from_three_voxels_on():
    mask = np.zeros((20, 20, 20), bool)
    mask[2:18, 2:18, 2:4] = True
    mask[2:18, 2:18, 10:13] = True
    found = thick_parts(mask)
    assert not found[:, :, :8].any()
    assert found[2:18, 2:18, 10:13].all()
    assert found.sum() == 16 * 16 * 3


def test_auto_leaves_out_what_the_network_surely_excludes(monkeypatch):
    image = chest()[0]

    def without_a_part(lungs):
        lungs = lungs.copy()
        where = np.argwhere(lungs)
        z, y, _ = np.median(where, axis=0).astype(int)
        lungs[z - 4 : z + 4, y - 4 : y + 4] = False
        return lungs

    answers(monkeypatch, without_a_part)
    by_threshold, by_network, both = (segment_lungs(image, method) for method in ("threshold", "network", "auto"))
    assert both.facts["method"] == "both"
    left_out = (by_threshold.lungs.voxels_zyx > 0) & (by_network.lungs.voxels_zyx == 0)
    assert left_out.any()
    assert both.lungs.voxels_zyx[left_out].mean() < 0.02


def test_auto_keeps_dense_parts_that_the_network_excludes(monkeypatch):
    image = chest()[0]
    before = segment_lungs(image).lungs.voxels_zyx > 0
    z, y, _ = np.median(np.argwhere(before), axis=0).astype(int)
    lesion = np.zeros_like(before)
    lesion[z - 2 : z + 2, y - 3 : y + 3] = True
    lesion &= before & ndimage.binary_erosion(before, iterations=2)
    image = image.with_voxels(np.where(lesion, 40, image.voxels_zyx).astype(image.voxels_zyx.dtype))
    within = (segment_lungs(image).lungs.voxels_zyx > 0) & lesion
    assert within.any()

    def without_dense_parts(lungs):
        coarse = segment.coarse_image(image)
        return lungs & ~ndimage.binary_dilation(lungs & (coarse.voxels_zyx > -300), iterations=1)

    answers(monkeypatch, without_dense_parts)
    assert (segment_lungs(image, "auto").lungs.voxels_zyx[within] > 0).mean() > 0.98


def test_without_air_all_of_the_network_counts():
    inside = np.ones((4, 4, 4), bool)
    assert sick_parts(inside, np.zeros_like(inside)).all()


def test_auto_takes_the_threshold_where_the_network_finds_no_lung(monkeypatch):
    answers(monkeypatch, np.zeros_like)
    image = chest()[0]
    found = segment_lungs(image, "auto")
    assert found.facts["method"] == "threshold"
    assert found.facts["agreement"] == 0
    np.testing.assert_array_equal(found.lungs.voxels_zyx, segment_lungs(image).lungs.voxels_zyx)
    assert not segment_lungs(image, "network").facts["plausible"]


def test_where_neither_finds_a_lung_there_is_no_agreement(monkeypatch):
    answers(monkeypatch, lambda lungs: lungs)
    image = chest()[0]
    found = segment_lungs(image.with_voxels(np.full_like(image.voxels_zyx, 40)), "auto")
    assert not found.facts["plausible"]
    assert found.facts["agreement"] is None
