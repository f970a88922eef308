import csv
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist
from skimage.measure import label, regionprops

from ctseg.geometry import mapped_arrays
from ctseg.geometry.volume import Grid, Volume
from ctseg.masks.components import (
    COLUMNS,
    label_components,
    longest_distance_mm,
    measure_components,
    row_ends,
    volumes_cm3,
    voxels_of_each,
    write_components,
)
from ctseg.masks.run_lengths import find_runs
from grids import grids

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
FLIPPED = ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
masks = arrays(np.bool_, st.tuples(*[st.integers(1, 6)] * 3))
coordinates = st.integers(-5, 5).map(float)


def scan(shape=(20, 24, 28), spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=IDENTITY):
    grid = Grid(shape, spacing, origin, direction)
    return Volume(np.zeros(shape, np.uint8), grid), Volume(np.zeros(shape, np.int16), grid)


def test_voxels_that_share_only_a_corner_are_one_component():
    mask = np.zeros((4, 4, 4), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[3, 3, 3] = True
    components = label_components(mask)
    assert components[0, 0, 0] == components[1, 1, 1] != components[3, 3, 3]
    assert components.max() == 2


@given(masks)
@settings(max_examples=60, deadline=None)
def test_the_components_cover_the_mask_and_nothing_else(mask):
    components = label_components(mask)
    np.testing.assert_array_equal(components > 0, mask)
    assert set(np.unique(components)) <= set(range(components.max() + 1))


def test_a_box_has_the_measures_of_a_box():
    segmentation, image = scan(spacing=(0.5, 2.0, 3.0), origin=(-10.0, 5.0, 100.0))
    segmentation.voxels_zyx[2:6, 3:8, 10:20] = 1
    image.voxels_zyx[2:6, 3:8, 10:15] = -100
    image.voxels_zyx[2:6, 3:8, 15:20] = 300
    (row,) = measure_components(segmentation, image)
    assert (row["label"], row["component"], row["voxels"]) == (1, 1, 200)
    assert row["volume_cm3"] == pytest.approx(200 * 3 / 1000)
    assert [row[f"extent_{axis}_mm"] for axis in "xyz"] == pytest.approx([5, 10, 12])
    assert [row[f"centroid_{axis}_mm"] for axis in "xyz"] == pytest.approx([-10 + 14.5 * 0.5, 5 + 5 * 2, 100 + 3.5 * 3])
    assert (row["mean_hu"], row["sd_hu"], row["min_hu"], row["max_hu"]) == (100, 200, -100, 300)
    assert row["longest_diameter_mm"] == pytest.approx(np.linalg.norm([4.5, 8, 9]) + 0.5)


@pytest.mark.parametrize("direction", [IDENTITY, FLIPPED])
def test_a_ball_has_the_measures_of_a_ball(direction):
    segmentation, image = scan((40, 40, 40), direction=direction)
    distance = np.linalg.norm(np.indices((40, 40, 40)) - np.array([18, 20, 22]).reshape(3, 1, 1, 1), axis=0)
    segmentation.voxels_zyx[distance <= 12] = 1
    (row,) = measure_components(segmentation, image)
    assert row["volume_cm3"] == pytest.approx(4 / 3 * np.pi * 12**3 / 1000, rel=0.02)
    assert row["longest_diameter_mm"] == pytest.approx(25)
    assert [row[f"extent_{axis}_mm"] for axis in "xyz"] == pytest.approx([25, 25, 25])
    expected = segmentation.grid.points_xyz_mm(np.array([[18, 20, 22]]))[0]
    assert [row[f"centroid_{axis}_mm"] for axis in "xyz"] == pytest.approx(expected)


def test_components_are_numbered_by_class_and_falling_volume():
    segmentation, image = scan()
    segmentation.voxels_zyx[0:2, 0, 0] = 2
    segmentation.voxels_zyx[5:10, 5, 5] = 2
    segmentation.voxels_zyx[15, 15, 15] = 1
    rows = measure_components(segmentation, image)
    assert [(row["label"], row["component"], row["voxels"]) for row in rows] == [(1, 1, 1), (2, 1, 5), (2, 2, 2)]


def test_touching_classes_are_components_of_their_own():
    segmentation, image = scan()
    segmentation.voxels_zyx[3, 3, 3:6] = 1
    segmentation.voxels_zyx[3, 3, 6:8] = 2
    assert [row["voxels"] for row in measure_components(segmentation, image)] == [3, 2]


@given(grids(), st.data())
@settings(max_examples=40, deadline=None)
def test_volumes_sum_to_the_segmentation_on_any_grid(grid, data):
    voxels = data.draw(arrays(np.uint8, grid.shape_zyx, elements=st.integers(0, 2)))
    rows = measure_components(Volume(voxels, grid), Volume(voxels.astype(np.int16), grid))
    for value in (1, 2):
        found = sum(row["volume_cm3"] for row in rows if row["label"] == value)
        assert found == pytest.approx((voxels == value).sum() * grid.voxel_volume_mm3 / 1000)
    assert all(row["mean_hu"] == row["label"] and row["sd_hu"] == 0 for row in rows)


def test_nothing_segmented_gives_no_row():
    assert measure_components(*scan()) == []


@given(st.lists(st.tuples(coordinates, coordinates, coordinates), min_size=2, max_size=40))
@settings(max_examples=80, deadline=None)
def test_the_longest_distance_is_that_of_all_pairs(points):
    assert longest_distance_mm(np.array(points)) == pytest.approx(pdist(np.array(points)).max())


@pytest.mark.parametrize("axes", [(0,), (1, 2), (0, 1, 2)])
def test_the_longest_distance_is_exact_in_a_line_and_a_plane_too(axes):
    points = np.zeros((12 ** len(axes), 3))
    points[:, axes] = np.array(list(np.ndindex(*[12] * len(axes))))
    assert longest_distance_mm(points) == pytest.approx(11 * len(axes) ** 0.5)


@settings(max_examples=50, deadline=None)
@given(mask=arrays(bool, (3, 5, 6)).filter(np.any), grid=grids())
def test_the_ends_of_rows_tell_hull_and_extent_of_all_voxels(mask, grid):
    ends, all_voxels = row_ends(find_runs(mask)), np.argwhere(mask)
    assert {tuple(place) for place in ends} <= {tuple(place) for place in all_voxels}
    few, many = grid.points_xyz_mm(ends), grid.points_xyz_mm(all_voxels)
    np.testing.assert_allclose(few.min(axis=0), many.min(axis=0))
    np.testing.assert_allclose(few.max(axis=0), many.max(axis=0))
    assert longest_distance_mm(few) == pytest.approx(longest_distance_mm(many))


def test_one_point_has_no_distance():
    assert longest_distance_mm(np.zeros((1, 3))) == 0


def test_the_table_names_the_classes(tmp_path):
    segmentation, image = scan()
    segmentation.voxels_zyx[3, 3, 3:6] = 2
    path = tmp_path / "components.tsv"
    write_components(measure_components(segmentation, image), ["nodule", "tumour"], path)
    (row,) = csv.DictReader(path.read_text().splitlines(), delimiter="\t")
    assert list(row) == ["label", *COLUMNS]
    assert (row["label"], row["component"], row["voxels"], row["volume_cm3"]) == ("tumour", "1", "3", "0.00300")


def test_a_single_small_voxel_has_a_volume_and_a_diameter_in_the_table(tmp_path):
    mask = np.zeros((4, 5, 6), np.uint8)
    mask[1, 2, 3] = 2
    identity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    volume = Volume(mask, Grid(mask.shape, (0.3, 0.3, 0.6), (0.0, 0.0, 0.0), identity))
    rows = measure_components(volume, volume)
    write_components(rows, ["tumour", "cyst"], tmp_path / "a.tsv")
    with (tmp_path / "a.tsv").open() as stream:
        [row] = csv.DictReader(stream, delimiter="\t")
    assert row["volume_cm3"] == "0.0000540"
    assert row["longest_diameter_mm"] == "0.30"
    assert volumes_cm3(rows, ["tumour", "cyst"]) == {"tumour": 0.0, "cyst": pytest.approx(5.4e-5)}


def test_the_table_of_nothing_is_its_header(tmp_path):
    write_components([], ["nodule"], tmp_path / "components.tsv")
    assert (tmp_path / "components.tsv").read_text() == "\t".join(["label", *COLUMNS]) + "\n"


@given(masks, st.permutations(range(3)), st.sets(st.integers(0, 2)))
@settings(max_examples=40, deadline=None)
def test_another_library_finds_the_same_components_in_any_order_of_the_axes(mask, order, flips):
    expected = sorted((int(region.area), *sorted(region.centroid)) for region in regionprops(label(mask)))
    turned = np.flip(mask.transpose(order), tuple(flips))
    segmentation, image = scan(turned.shape)
    found = measure_components(segmentation.with_voxels(turned.astype(np.uint8)), image)
    assert [row["voxels"] for row in found] == [area for area, *_ in expected][::-1]
    if not flips:
        places = sorted((row["voxels"], *sorted(row[f"centroid_{axis}_mm"] for axis in "zyx")) for row in found)
        np.testing.assert_allclose(places, expected)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 1), (6, 1, 7), (9, 9, 1), (3, 3, 3)])
def test_as_many_single_voxels_as_fit_are_components_of_their_own(shape):
    mask = np.zeros(shape, bool)
    mask[::2, ::2, ::2] = True
    assert label_components(mask).max() == mask.sum()


@given(grids(), st.data())
@settings(max_examples=60, deadline=None)
def test_measures_are_those_of_the_voxels(grid, data):
    voxels = data.draw(arrays(np.uint8, grid.shape_zyx, elements=st.sampled_from([0, 0, 0, 1, 2])))
    hu = data.draw(arrays(np.int16, grid.shape_zyx))
    bits = data.draw(arrays(np.uint8, grid.shape_zyx))
    rows = measure_components(Volume(voxels, grid), Volume(hu, grid), Volume(bits, grid))
    pieces = {1: label_components(voxels == 1), 2: label_components(voxels == 2)}
    assert len(rows) == sum(numbers.max() for numbers in pieces.values())
    for row in rows:
        (first,) = np.rint(grid.indices_zyx(np.array([row["voxel_xyz_mm"]]))).astype(int)
        numbers = pieces[row["label"]]
        mask = numbers == numbers[tuple(first)]
        assert row["voxels"] == mask.sum()
        assert (row["min_hu"], row["max_hu"]) == (hu[mask].min(), hu[mask].max())
        assert row["mean_hu"] == pytest.approx(hu[mask].mean(dtype=float), rel=1e-9, abs=1e-9)
        assert row["sd_hu"] == pytest.approx(hu[mask].std(dtype=float), rel=1e-6, abs=1e-9)
        assert row["mean_entropy_bits"] == pytest.approx(bits[mask].mean() / 255)
        centroid = grid.points_xyz_mm(np.argwhere(mask).mean(axis=0))[0]
        assert [row[f"centroid_{axis}_mm"] for axis in "xyz"] == pytest.approx(centroid.tolist())
        points = grid.points_xyz_mm(np.argwhere(mask))
        half = np.abs(grid.affine[:3, :3]).sum(axis=1) / 2
        np.testing.assert_allclose(row["box_xyz_mm"], [points.min(axis=0) - half, points.max(axis=0) + half])


def test_the_spread_of_a_large_component_is_exact():
    segmentation, image = scan((64, 256, 256))
    segmentation.voxels_zyx[:] = 1
    image.voxels_zyx[:] = 32767
    image.voxels_zyx[0, 0, 0] = 32766
    (row,) = measure_components(segmentation, image)
    n = 64 * 256 * 256
    assert row["mean_hu"] == 32767 - 1 / n
    assert row["sd_hu"] == pytest.approx((n - 1) ** 0.5 / n, rel=1e-12)


def test_an_image_of_real_numbers_is_measured_too():
    segmentation, image = scan()
    segmentation.voxels_zyx[3, 3, 3:5] = 1
    image = image.with_voxels(np.full(image.grid.shape_zyx, 0.5, np.float32))
    image.voxels_zyx[3, 3, 4] = 1.5
    (row,) = measure_components(segmentation, image)
    assert [row[f"{name}_hu"] for name in ("mean", "sd", "min", "max")] == [1, 0.5, 0.5, 1.5]


def test_voxels_of_each_component_are_counted_with_little_memory(monkeypatch):
    numbers = np.zeros((50, 40, 30), np.uint32)
    numbers[3:5, 2, 1], numbers[49, 39, 29] = 1, 3
    monkeypatch.setattr(mapped_arrays, "SLAB_BYTES", 4 * 40 * 30 * 4)
    assert voxels_of_each(numbers).tolist() == [50 * 40 * 30 - 3, 2, 0, 1]


def test_measuring_takes_no_array_of_the_scans_size():
    segmentation, image = scan((256, 256, 256))
    for start in (10, 90, 170):
        ball = np.linalg.norm(np.indices((61, 61, 61)) - 30, axis=0) <= 30
        segmentation.voxels_zyx[start : start + 61, start : start + 61, start : start + 61] = ball
    tracemalloc.start()
    rows = measure_components(segmentation, image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(rows) == 3
    assert peak < segmentation.voxels_zyx.nbytes / 4
