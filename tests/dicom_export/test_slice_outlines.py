"""Outlines of a segmentation are in the planes of the slices and enclose the same pixels."""

import numpy as np
import pytest

from ctseg.dicom.read_ct import read_dicom
from ctseg.dicom.series import choose_stack
from ctseg.dicom_export.slice_outlines import outlines_on_slices, pixels_xy
from ctseg.dicom_export.source_series import read_source
from ctseg.masks.polygon_fill import fill_even_odd
from dicom_files import REFERABLE, write_stack
from dicom_results import MATRICES, STACKS, speckles, straight


@pytest.mark.parametrize("kind", ["head first", "feet first and prone", "oblique"])
def test_the_outlines_of_each_number_enclose_its_pixels(tmp_path, kind):
    series = straight(tmp_path, MATRICES[kind])
    scan, _ = read_dicom(series)
    source = read_source(choose_stack(series))
    numbers = speckles(scan.grid.shape_zyx, 3)
    found = np.zeros_like(numbers)
    for number, place, points in outlines_on_slices(numbers, scan.grid, source):
        part = source.slices[place]
        np.testing.assert_allclose((points - part.position_xyz_mm) @ part.normal, 0, atol=1e-9)
        outline_yx = pixels_xy(points, part)[:, ::-1] - 0.5
        found[place][fill_even_odd([outline_yx], numbers.shape[1:])] = number
    np.testing.assert_array_equal(found, numbers)


def test_pixels_are_counted_from_a_half(tmp_path):
    source = read_source(choose_stack(straight(tmp_path, np.eye(3))))
    first = source.slices[0]
    points = first.position_xyz_mm + np.array([[0, 0, 0], [3 * 0.7, 2 * 0.9, 0]])
    np.testing.assert_allclose(pixels_xy(points, first), [[0.5, 0.5], [3.5, 2.5]])


def test_a_gap_has_no_outlines(tmp_path):
    series = write_stack(tmp_path, *STACKS["gap"], **REFERABLE)
    scan, _ = read_dicom(series, irregular="resample")
    source = read_source(choose_stack(series))
    only_in_the_gap = np.zeros(scan.grid.shape_zyx, np.uint8)
    only_in_the_gap[4] = 1  # 8 mm; the slices are at 6 and 10 mm
    assert list(outlines_on_slices(only_in_the_gap, scan.grid, source)) == []
    everywhere = np.ones(scan.grid.shape_zyx, np.uint8)
    assert [place for _, place, _ in outlines_on_slices(everywhere, scan.grid, source)] == list(range(7))
