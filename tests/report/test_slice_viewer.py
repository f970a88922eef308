import base64
import gzip

import numpy as np
import pytest

from ctseg.geometry.volume import Grid, Volume
from ctseg.report.slice_viewer import LONGEST, preview

LEFT_BACK_HEAD = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def unpacked(found, name):
    data = gzip.decompress(base64.b64decode(found[name]))
    return np.frombuffer(data, np.uint8).reshape(found["shape_zyx"])


def volumes(shape=(60, 200, 200), spacing=(0.7, 0.7, 2.5)):
    """Body of 0 HU in air with a small lesion on the patient's left."""
    hu = np.full(shape, -1000, np.int16)
    hu[5:-5, 20:-20, 20:-20] = 0
    mask = np.zeros(shape, np.uint8)
    mask[30, 100, 150] = 1
    grid = Grid(shape, spacing, (0.0, 0.0, 0.0), LEFT_BACK_HEAD)
    return Volume(hu, grid), Volume(mask, grid)


def test_the_smallest_lesion_is_kept_on_its_side():
    image, mask = volumes()
    found = preview(image, mask, mask, (-1000, 1000))
    masks = unpacked(found, "masks")
    place = np.argwhere(masks == 3)
    assert len(place) >= 1
    assert place[:, 2].mean() > masks.shape[2] / 2
    assert masks[tuple(found["focus_zyx"])] == 3


def test_grey_values_span_the_window_and_air_around_the_body_is_cut():
    image, mask = volumes()
    found = preview(image, mask, None, (-1000, 1000))
    grey = unpacked(found, "grey")
    assert max(grey.shape) <= LONGEST
    assert np.median(grey) == pytest.approx(127.5, abs=1)
    assert set(np.unique(unpacked(found, "masks"))) <= {0, 2}


def test_the_same_anatomy_stored_in_another_order_looks_the_same():
    image, mask = volumes()
    last = image.grid.corners_xyz_mm()[-1]
    flipped = Grid(
        image.grid.shape_zyx,
        image.grid.spacing_xyz_mm,
        (float(last[0]), 0.0, 0.0),
        ((-1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)),
    )
    turned = [Volume(part.voxels_zyx[:, :, ::-1], flipped) for part in (image, mask)]
    first, second = preview(image, mask, None, (-160, 240)), preview(*turned, None, (-160, 240))
    np.testing.assert_allclose(unpacked(first, "grey").astype(int), unpacked(second, "grey"), atol=1)
    np.testing.assert_array_equal(unpacked(first, "masks"), unpacked(second, "masks"))


def test_a_scan_of_air_alone_is_shown():
    image, mask = volumes()
    empty = image.with_voxels(np.full_like(image.voxels_zyx, -1000))
    found = preview(empty, mask.with_voxels(np.zeros_like(mask.voxels_zyx)), None, (-160, 240))
    assert not unpacked(found, "grey").any()
