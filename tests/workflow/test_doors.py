"""The same scan has the same grid and mask through every interface, and rounding errors change neither."""

import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ball_model import CARD
from ctseg.errors import InputError
from ctseg.geometry.resample import grow_box, to_sitk
from ctseg.geometry.volume import LEEWAY_VOXELS, Grid, Volume
from ctseg.inference.engines import load_engine
from ctseg.inference.predict import predict
from ctseg.preprocessing.preparation import Preparation, network_input
from ctseg.scans.nifti import read_nifti, write_nifti
from ctseg.scans.read_scan import read_scan
from dicom_files import body
from grids import grids
from real_data import FOLDER, real_data

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
JITTER_MM = 1e-6
spacings = st.one_of(
    st.integers(30, 600).map(lambda hundredths: hundredths / 100),
    st.integers(200, 2000).map(lambda field_mm: field_mm / 512),
)
jitters = st.tuples(*[st.floats(-JITTER_MM, JITTER_MM)] * 3)


PREPARATIONS = [
    Preparation((spacing, spacing, slices), (-1000.0, 400.0), "body", margin_mm)
    for spacing, slices, margin_mm in ((2.0, 2.0, 12.0), (1.5, 3.27, 10.0), (1.953125, 5.0, 7.5))
]


def axial(shape, spacing, jitter=(0, 0, 0)):
    return Grid(shape, tuple(a + b for a, b in zip(spacing, jitter, strict=True)), (0.0, 0.0, 0.0), IDENTITY)


def far_from_the_edge(voxels, leeway):
    """Whether a number of voxels, minus `leeway`, differs from every integer by more than 0.001."""
    return abs((voxels - leeway) - round(voxels - leeway)) > 1e-3


@given(st.tuples(*[spacings] * 3), jitters, st.integers(0, 600), st.tuples(*[st.integers(1, 99)] * 3))
@settings(max_examples=500)
def test_a_margin_takes_the_same_voxels_whatever_the_last_digit(spacing, jitter, tenths, start):
    margin_mm = tenths / 10
    assume(all(far_from_the_edge(margin_mm / mm, LEEWAY_VOXELS) for mm in spacing))
    box = tuple(slice(place, place + 1) for place in start)
    boxes = [grow_box(box, margin_mm, axial((400,) * 3, spacing, by)) for by in ((0, 0, 0), jitter)]
    assert boxes[0] == boxes[1]
    for before, after, mm in zip(box, boxes[0], reversed(spacing), strict=True):
        wanted = min(before.start, math.ceil(round(margin_mm / mm - LEEWAY_VOXELS, 9)))
        assert before.start - after.start == wanted


@given(st.tuples(*[spacings] * 3), jitters, st.tuples(*[spacings] * 3), st.tuples(*[st.integers(1, 600)] * 3))
@settings(max_examples=500)
def test_another_spacing_gives_the_same_grid_whatever_the_last_digit(spacing, jitter, wanted, shape):
    extents = [n * mm / new for n, mm, new in zip(reversed(shape), spacing, wanted, strict=True)]
    assume(all(far_from_the_edge(voxels + 0.5, -LEEWAY_VOXELS) for voxels in extents))
    first, second = (axial(shape, spacing, by).with_spacing(wanted) for by in ((0, 0, 0), jitter))
    assert first.shape_zyx == second.shape_zyx
    assert first.matches(second)


@given(st.tuples(*[spacings] * 3), jitters, st.tuples(*[spacings] * 3), st.integers(0, 300))
@settings(max_examples=200)
def test_the_network_sees_the_same_grid_whatever_the_last_digit(spacing, jitter, wanted, tenths):
    margin_mm, shape = tenths / 10, (20, 24, 28)
    voxels = np.full(shape, -1000, np.int16)
    voxels[6:13, 8:15, 9:20] = 50
    preparation = Preparation(wanted, (-1000.0, 400.0), "body", margin_mm)
    part, first = network_input(Volume(voxels, axial(shape, spacing)), None, preparation)
    extents = np.array(part.grid.shape_zyx[::-1]) * spacing / wanted
    assume(all(far_from_the_edge(margin_mm / mm, LEEWAY_VOXELS) for mm in spacing))
    assume(all(far_from_the_edge(size + 0.5, -LEEWAY_VOXELS) for size in extents))
    _, second = network_input(Volume(voxels, axial(shape, spacing, jitter)), None, preparation)
    assert second.shape_zyx == first.shape_zyx
    assert second.matches(first)


@pytest.mark.parametrize("spacing_mm", [0.5, 0.75, 0.8, 1.0, 1.5, 2.0, 2.4, 3.0, 4.0, 12.0])
@pytest.mark.parametrize("digit", [-1e-6, -6e-16, 6e-16, 1e-6])
def test_whole_margins_and_half_voxels_are_no_matter_of_digits(spacing_mm, digit):
    exact, off = (axial((25,) * 3, (mm,) * 3) for mm in (spacing_mm, spacing_mm + digit))
    box = (slice(12, 13),) * 3
    assert grow_box(box, 12, exact) == grow_box(box, 12, off)
    assert exact.with_spacing((2 * spacing_mm,) * 3).shape_zyx == off.with_spacing((2 * spacing_mm,) * 3).shape_zyx
    assert exact.with_spacing((2 * spacing_mm,) * 3).shape_zyx == (13, 13, 13)  # from 12.5: half a voxel is rounded up


@given(grids())
@settings(max_examples=100)
def test_a_grid_that_entered_comes_back_from_a_file_to_the_last_digit(tmp_path_factory, grid):
    entered = grid.rounded()
    assert entered.rounded() == entered
    assert entered.matches(grid, 1e-4)
    path = tmp_path_factory.mktemp("grid") / "image.nii"
    write_nifti(Volume(np.zeros(entered.shape_zyx, np.int16), entered), path)
    assert read_nifti(path).grid == entered


@given(grids(sheared=False))
@settings(max_examples=40, deadline=None)
def test_every_format_of_a_scan_gives_the_same_grid(tmp_path_factory, grid):
    scan, folder = Volume(body(grid.shape_zyx), grid), tmp_path_factory.mktemp("formats")
    write_nifti(scan, folder / "image.nii.gz")
    for suffix in (".nrrd", ".mha", ".mhd"):
        sitk.WriteImage(to_sitk(scan), str(folder / f"image{suffix}"))
    first = read_scan(folder / "image.nii.gz").volume.grid
    for suffix in (".nrrd", ".mha", ".mhd"):
        other = read_scan(folder / f"image{suffix}").volume.grid
        assert other.matches(first, 1e-4)
        for preparation in PREPARATIONS:
            wanted = preparation.spacing_xyz_mm
            extents = np.array(grid.shape_zyx[::-1]) * grid.spacing_xyz_mm / wanted
            if all(far_from_the_edge(voxels + 0.5, -LEEWAY_VOXELS) for voxels in extents):
                assert other.with_spacing(wanted).shape_zyx == first.with_spacing(wanted).shape_zyx


def test_a_grid_beyond_what_a_file_can_hold_is_refused():
    with pytest.raises(InputError, match="geometry is not usable"):
        Grid((2, 2, 2), (1.0, 1.0, 1.0), (1e300, 0.0, 0.0), IDENTITY).rounded()


def test_a_shape_changes_with_the_spacing_where_it_should():
    assert axial((25,) * 3, (0.98,) * 3).with_spacing((2, 2, 2)).shape_zyx == (12, 12, 12)
    assert grow_box((slice(15, 16),) * 3, 12, axial((40,) * 3, (0.99,) * 3))[0] == slice(2, 29)


def readable():
    """Pairs (folder, scan) of all readable folders in the real data."""
    for folder in sorted(path for path in FOLDER.rglob("*") if path.is_dir() and not path.name.startswith(".")):
        if any(path.is_file() and path.suffix not in (".gz", ".nii", ".md", ".xml") for path in folder.iterdir()):
            try:
                yield folder, read_scan(folder, irregular="resample").volume
            except InputError:
                continue


@pytest.mark.realdata
@pytest.mark.timeout(600)
def test_a_series_and_the_file_made_of_it_give_the_same_grid_and_mask(model_folder, tmp_path):
    real_data("sarcoma-dicom")
    engine = load_engine(model_folder / "model.onnx", 2)
    seen = 0
    for folder, series in readable():
        path = tmp_path / "image.nii"
        write_nifti(series, path)
        for converted in (read_scan(path).volume, read_nifti(path)):
            assert converted.grid == series.grid, folder
            np.testing.assert_array_equal(converted.voxels_zyx, series.voxels_zyx)
            for preparation in (*PREPARATIONS, CARD.preparation):
                assert network_input(converted, None, preparation)[1] == network_input(series, None, preparation)[1]
        masks = [predict(volume, engine).segmentation.voxels_zyx for volume in (series, converted)]
        np.testing.assert_array_equal(*masks, err_msg=str(folder))
        seen += 1
    assert seen >= 20
