import numpy as np

from ctseg.lung_training.bodies import Body
from ctseg.lung_training.scanner import HIGHEST_HU, add_metal, field_of_view, scan


def body():
    hu = np.full((40, 50, 60), 40, np.float32)
    sides = np.zeros(hu.shape, np.uint8)
    sides[5:35, 10:40, 8:26], sides[5:35, 10:40, 34:52] = 1, 2
    hu[sides > 0] = -850
    return Body(hu, sides)


def test_a_scan_is_int16_hu_with_its_masks_on_one_grid():
    for seed in range(12):
        whole = body()
        image, sides, added = scan(np.random.default_rng(seed), whole, whole.sides == 1)
        assert image.shape == sides.shape == added.shape
        assert (image.dtype, sides.dtype, added.dtype) == (np.int16, np.uint8, np.uint8)
        assert image.min() >= -1024
        assert image.max() <= HIGHEST_HU
        assert not added[sides != 1].any()


def test_what_lies_outside_of_the_field_of_view_is_air_without_lungs():
    seen = [field_of_view(np.random.default_rng(seed), (40, 50, 60), body().sides) for seed in range(30)]
    assert any(outside.any() for _, outside in seen)
    assert any(box[0] != slice(0, 40) for box, _ in seen)
    for (z, y, x), outside in seen:
        assert outside.shape == (1, y.stop - y.start, x.stop - x.start)
        assert z.stop - z.start >= 16


def test_metal_is_brighter_than_bone_and_streaks_its_slices():
    hu = body().hu
    before = hu.copy()
    add_metal(np.random.default_rng(1), hu)
    assert hu.max() == HIGHEST_HU
    assert (hu != before).any(axis=(1, 2)).sum() >= 2
