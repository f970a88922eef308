"""Pictures of cases: all sides are correct for any storage order of the axes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ctseg.geometry.volume import Grid, Volume
from ctseg.report.case_picture import draw_case

SHAPE = (20, 24, 28)


LEFT_BACK_HEAD = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def orange_yx(path):
    """Mean row and column of the orange pixels in the upper left quarter of a picture, which is the axial plane."""
    picture = plt.imread(path)[..., :3]
    picture = picture[: len(picture) // 2, : picture.shape[1] // 2]
    red, green, blue = np.moveaxis(picture, -1, 0)
    rows, columns = np.nonzero((red > 0.7) & (blue < 0.25) & (green > 0.4))
    assert rows.size
    return rows.mean() / len(picture), columns.mean() / picture.shape[1]


def lesion_on_the_patients_left():
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[8:12, 4:8, 20:25] = 1  # x points to the left, y to the back: the lesion is left and in front
    image = np.where(voxels, 100, 0).astype(np.int16)
    grid = Grid(SHAPE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), LEFT_BACK_HEAD)
    return Volume(image, grid), Volume(voxels, grid)


def draw(path, image, segmentation, reference=None):
    draw_case(path, "case", image, segmentation, reference, None, (-160.0, 240.0))


def test_a_lesion_on_the_patients_left_and_front_is_drawn_right_and_up(tmp_path):
    draw(tmp_path / "case.png", *lesion_on_the_patients_left())
    row, column = orange_yx(tmp_path / "case.png")
    assert column > 0.5
    assert row < 0.5


def test_the_same_anatomy_stored_in_another_order_gives_the_same_picture(tmp_path):
    image, segmentation = lesion_on_the_patients_left()
    draw(tmp_path / "a.png", image, segmentation)
    last = image.grid.corners_xyz_mm()[-1]
    flipped = Grid(
        SHAPE, (1.0, 1.0, 1.0), (float(last[0]), 0.0, float(last[2])), ((-1.0, 0, 0), (0, 1.0, 0), (0, 0, -1.0))
    )
    draw(tmp_path / "b.png", *(Volume(part.voxels_zyx[::-1, :, ::-1], flipped) for part in (image, segmentation)))
    np.testing.assert_allclose(plt.imread(tmp_path / "a.png"), plt.imread(tmp_path / "b.png"), atol=0.02)


def test_an_empty_segmentation_and_label_are_drawn_too(tmp_path):
    image, segmentation = lesion_on_the_patients_left()
    empty = segmentation.with_voxels(np.zeros(SHAPE, np.uint8))
    draw(tmp_path / "case.png", image, empty, empty)
    assert (tmp_path / "case.png").stat().st_size > 1000


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_scan_of_one_slice_that_is_all_lesion_is_drawn(tmp_path, axis):
    shape = tuple(1 if axis == other else 12 for other in range(3))
    grid = Grid(shape, (1.0, 1.0, 3.0), (0.0, 0.0, 0.0), LEFT_BACK_HEAD)
    draw(tmp_path / "case.png", Volume(np.zeros(shape, np.int16), grid), Volume(np.ones(shape, np.uint8), grid))
    picture = plt.imread(tmp_path / "case.png")[..., :3]
    assert ((picture[..., 0] > 0.7) & (picture[..., 2] < 0.25) & (picture[..., 1] > 0.4)).any()
