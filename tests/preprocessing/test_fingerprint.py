"""Fingerprint of a case: sizes, regions and foreground equal closed forms, for any storage order of the scan."""

from itertools import permutations

import numpy as np
import pytest

from ctseg.geometry.volume import Grid, Volume
from ctseg.preprocessing.fingerprint import fingerprint
from grids import turned

GRID = Grid((10, 12, 14), (1.0, 2.0, 3.0), (5.0, -7.0, 11.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))


def volumes() -> tuple[Volume, Volume, Volume]:
    """Body in air, label with two components of class 1 and one of class 2, and lungs with half of the foreground."""
    hu = np.full(GRID.shape_zyx, -1000, np.int16)
    hu[1:9, 2:10, 3:12] = 0
    label = np.zeros(GRID.shape_zyx, np.uint8)
    label[2, 3, 4:8], label[6, 3, 4:6], label[4, 8, 9:11] = 1, 1, 2
    hu[label == 1], hu[label == 2] = 50, 100
    lungs = np.zeros(GRID.shape_zyx, np.uint8)
    lungs[2:4, 3:5, 4:9] = 1
    return Volume(hu, GRID), Volume(label, GRID), Volume(lungs, GRID)


def test_a_case_in_numbers():
    image, label, lungs = volumes()
    found = fingerprint(image, label, lungs, 3)
    assert found["spacing_xyz_mm"] == [1, 2, 3]
    assert found["size_xyz"] == [14, 12, 10]
    assert found["orientation"] == "LPS"
    assert found["region_xyz_mm"] == {"body": [9, 16, 24], "lungs": [5, 4, 6]}
    assert found["foreground_in_lungs"] == 0.5
    assert found["foreground_hu"]["mean"] == pytest.approx((6 * 50 + 2 * 100) / 8)
    assert found["foreground_hu"]["percentiles"]["50"] == 50
    assert found["foreground_hu"]["percentiles"]["100"] == 100
    assert found["classes"] == [
        {"volume_mm3": 36, "component_volumes_mm3": [12, 24]},
        {"volume_mm3": 12, "component_volumes_mm3": [12]},
        {"volume_mm3": 0, "component_volumes_mm3": []},
    ]


def test_without_lungs_their_region_is_the_body():
    image, label, _ = volumes()
    found = fingerprint(image, label, None, 2)
    assert found["region_xyz_mm"]["lungs"] == found["region_xyz_mm"]["body"]
    assert found["foreground_in_lungs"] == 0


def test_nothing_is_told_of_a_foreground_that_is_not_there():
    image, label, lungs = volumes()
    found = fingerprint(image, label.with_voxels(np.zeros_like(label.voxels_zyx)), lungs, 1)
    assert (found["foreground_hu"], found["foreground_in_lungs"]) == (None, None)
    assert found["classes"] == [{"volume_mm3": 0, "component_volumes_mm3": []}]


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flips", [(False, False, False), (True, False, True)])
def test_the_order_of_the_stored_axes_changes_the_orientation_alone(order, flips):
    expected = fingerprint(*volumes(), 2)
    found = fingerprint(*(turned(volume, order, flips) for volume in volumes()), 2)
    letters = [("RL" if flips[0] else "LR"), ("AP" if flips[1] else "PA"), ("IS" if flips[2] else "SI")]
    assert found.pop("orientation") == "".join(letters[axis][0] for axis in order)
    del expected["orientation"]
    assert found == expected
