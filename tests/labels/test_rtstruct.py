"""Contours become masks of the pixel centres inside them, in patient coordinates, also with holes and oblique grids."""

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from skimage.measure import find_contours

from contours import box
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid
from ctseg.labels.outlines import rasterise
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.labels.rtstruct import read_rois
from ctseg.scans.nifti import read_nifti
from ctseg.scans.read_scan import read_scan
from dicom_files import body, ct_slice, write, write_rtstruct
from grids import grids
from real_data import real_data


def contours_of(path, wanted: dict[str, list[str]], missing_ok: bool = False) -> dict[str, list[list[np.ndarray]]]:
    return {label: [roi.contours for roi in rois] for label, rois in read_rois(path, wanted, missing_ok).items()}


def grid_of(angles: tuple[float, float, float] = (0, 0, 0), mirror: bool = False) -> Grid:
    direction = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ np.diag([1, 1, -1.0 if mirror else 1.0])
    return Grid((6, 40, 50), (0.8, 0.9, 3.0), (-20.0, 33.0, 500.0), tuple(map(tuple, direction.tolist())))


def on_slice(outline_yx: np.ndarray, index: float, grid: Grid) -> np.ndarray:
    return grid.points_xyz_mm(np.column_stack([np.full(len(outline_yx), index), outline_yx]))


@given(st.tuples(*[st.floats(-180, 180)] * 3), st.booleans())
def test_contours_find_their_slices_in_any_orientation(angles, mirror):
    grid = grid_of(angles, mirror)
    contours = [on_slice(box(4.5, 14.5), 2, grid), on_slice(box(9.5, 19.5), 4.3, grid)]
    mask = rasterise(contours, grid, "GTV", "image").mask
    expected = np.zeros(grid.shape_zyx, dtype=bool)
    expected[2, 5:15, 5:15] = True
    expected[4, 10:20, 10:20] = True
    np.testing.assert_array_equal(mask, expected)


def test_planes_that_share_a_slice_are_joined():
    grid = grid_of()
    contours = [on_slice(box(4.5, 14.5), 2, grid), on_slice(box(4.5, 14.5), 2.3, grid)]
    assert rasterise(contours, grid, "GTV", "image").mask.sum() == 100


def test_contours_of_another_scan_are_refused_with_both_boxes():
    grid = grid_of()
    for moved in (on_slice(box(4, 14), 6, grid), on_slice(box(34, 54), 2, grid), on_slice(box(4, 14), -0.6, grid)):
        with pytest.raises(InputError, match=r"GTV lies outside of ct\.nii: contours over x .* the image over x "):
            rasterise([moved], grid, "GTV", "ct.nii")
    upright = on_slice(box(4, 14), 2, grid) + np.array([[0, 0, 0], [0, 0, 0], [0, 0, 6.0], [0, 0, 6.0]])
    with pytest.raises(InputError, match="not parallel to the slices"):
        rasterise([upright], grid, "GTV", "ct.nii")


def test_rois_are_found_by_name(tmp_path):
    triangle = np.array([[0, 0, 1], [4, 0, 1], [0, 5, 1.0]])
    path = write_rtstruct(tmp_path / "RS", {"GTV": [triangle], "gtv": [triangle, triangle + 1], " Lung L ": []})
    found = contours_of(path, {"a": ["GTV"], "b": ["gtv"], "c": ["lung l"], "d": ["/gt.*/", "lung l"]})
    assert {label: [len(contours) for contours in rois] for label, rois in found.items()} == {
        "a": [1],
        "b": [2],
        "c": [0],
        "d": [1, 2, 0],
    }
    np.testing.assert_allclose(found["b"][0][1], triangle + 1)
    with pytest.raises(InputError, match=r'no ROI called "tumour"; .* one or more of: " ?Lung L ?", "GTV", "gtv"'):
        read_rois(path, {"a": ["tumour"]})
    assert contours_of(path, {"a": ["tumour"]}, missing_ok=True) == {"a": []}
    with pytest.raises(InputError, match='has 2 ROIs called "Gtv"'):
        read_rois(path, {"a": ["Gtv"]})


def test_points_and_open_lines_are_no_area(tmp_path):
    line = np.array([[0, 0, 1], [4, 0, 1], [0, 5, 1.0]])
    path = write_rtstruct(tmp_path / "RS", {"GTV": [line]}, kind="OPEN_PLANAR")
    assert contours_of(path, {"a": ["GTV"]}) == {"a": [[]]}
    path = write_rtstruct(tmp_path / "RS", {"GTV": [line[:1]]})
    assert contours_of(path, {"a": ["GTV"]}) == {"a": [[]]}


def test_files_that_are_no_rtstruct(tmp_path):
    wanted = {"a": ["GTV"]}
    image = write(ct_slice(body((1, 5, 6))[0], grid_of(), 0), tmp_path / "image")
    with pytest.raises(InputError, match="image is not an RTSTRUCT: CT"):
        read_rois(image, wanted)
    (tmp_path / "text").write_text("nothing")
    with pytest.raises(InputError, match="text is not an RTSTRUCT: it is not a DICOM file"):
        read_rois(tmp_path / "text", wanted)
    path = write_rtstruct(tmp_path / "RS", {"GTV": [np.ones((50, 3))]})
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match="RS "):
        read_rois(path, wanted)


@settings(max_examples=25, deadline=None)
@given(grids(sheared=False, largest=14), st.integers(0, 2**32 - 1))
def test_outlines_of_any_mask_on_any_grid_give_it_back(tmp_path_factory, grid, seed):
    mask = np.random.default_rng(seed).random(grid.shape_zyx) < 0.4
    mask[:, [0, -1]] = mask[:, :, [0, -1]] = False  # an outline must lie inside the image
    outlines = [(z, outline) for z, area in enumerate(mask) for outline in find_contours(area.astype(float), 0.5)]
    contours = [grid.points_xyz_mm(np.column_stack([np.full(len(outline), z), outline])) for z, outline in outlines]
    path = write_rtstruct(tmp_path_factory.mktemp("rs") / "RS", {"GTV": contours})
    [found] = contours_of(path, {"a": ["GTV"]})["a"]
    drawn = np.flatnonzero(mask.any(axis=(1, 2)))
    filled = rasterise(found, grid, "GTV", "image").mask
    np.testing.assert_array_equal(filled[drawn], mask[drawn])


TALL = Grid((60, 40, 40), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))


def ellipse(z_mm: float, radii_xy_mm: tuple[float, float]) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    x, y = 20.3 + radii_xy_mm[0] * np.cos(angle), 19.8 + radii_xy_mm[1] * np.sin(angle)
    return np.column_stack([x, y, np.full(200, z_mm)])


@pytest.mark.parametrize("distance_mm", [0.5, 0.9, 1.0, 1.1, 2.0, 2.5, 3.0])
@pytest.mark.parametrize("radii_xyz_mm", [(15, 15, 15), (8, 14, 24)])
def test_contours_drawn_between_the_slices_keep_the_volume(distance_mm, radii_xyz_mm):
    x, y, z = radii_xyz_mm
    heights_mm = np.arange(30.2 - z + distance_mm / 2, 30.2 + z, distance_mm)
    flat = [np.sqrt(1 - ((height - 30.2) / z) ** 2) for height in heights_mm]
    contours = [ellipse(height, (x * part, y * part)) for height, part in zip(heights_mm, flat, strict=True)]
    mask = rasterise(contours, TALL, "GTV", "image").mask
    assert mask.sum() == pytest.approx(4 / 3 * np.pi * x * y * z, rel=0.03)
    filled = np.flatnonzero(mask.any(axis=(1, 2)))
    assert (np.diff(filled) == 1).all()


def test_slices_that_were_left_out_stay_empty():
    for heights_mm, empty in [([5, 6, 7, 9, 10], {8}), ([4, 6, 8, 16, 18, 20], {10, 11, 12, 13, 14})]:
        mask = rasterise([ellipse(height, (8, 8)) for height in heights_mm], TALL, "GTV", "image").mask
        filled = set(np.flatnonzero(mask.any(axis=(1, 2))).tolist())
        assert not empty & filled
        assert set(heights_mm) <= filled


@pytest.mark.parametrize("undefined_length", [False, True])
def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path, undefined_length):
    drawn = [on_slice(box(3, 8), index, grid_of()) for index in (1, 2)]
    dataset = pydicom.dcmread(write_rtstruct(tmp_path / "whole.dcm", {"GTV": drawn, "other": drawn}))
    for sequence in (dataset["StructureSetROISequence"], dataset["ROIContourSequence"]):
        sequence.is_undefined_length = undefined_length
    dataset.save_as(tmp_path / "whole.dcm")
    whole = (tmp_path / "whole.dcm").read_bytes()
    assert len(contours_of(tmp_path / "whole.dcm", {"GTV": ["GTV"]})["GTV"][0]) == 2
    for length in range(len(whole)):
        (tmp_path / "cut.dcm").write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"cut\.dcm"):
            read_rois(tmp_path / "cut.dcm", {"GTV": ["GTV"]})


@pytest.mark.realdata
@pytest.mark.parametrize("patient", ["STS_002", "STS_003", "STS_008", "STS_019", "STS_025"])
def test_masks_equal_those_of_another_program(patient):
    grid = read_scan(real_data(f"sarcoma-dicom/{patient}/CT/image")).volume.grid
    path = real_data(f"sarcoma-dicom/{patient}/CT/mask/RS.dcm")
    [contours] = contours_of(path, {"tumour": ["gtv_mass_ct"]})["tumour"]
    mask = rasterise(contours, grid, "GTV", "image").mask
    reference = read_nifti(real_data(f"sarcoma-reference/{patient}/CT_mask.nii.gz")).voxels_zyx > 0
    assert 2 * (mask & reference).sum() / (mask.sum() + reference.sum()) > 0.9999


SARCOMAS = [2, 3, 5, 6, 8, 10, 12, 14, 15, 18, 19, 23, 24, 25, 26, 28]


@pytest.mark.realdata
@pytest.mark.parametrize("number", SARCOMAS)
def test_masks_are_those_that_others_resampled(number):
    """The published 2 mm labels equal the nearest voxels of the masks of ctseg, so the volumes are equal, too."""
    patient = f"STS_{number:03}"
    folder = real_data(f"sarcoma-dicom/{patient}/CT")
    settings = LabelSettings({"tumour": 1}, {"tumour": ("/GTV_Mass.*/",)})
    label = read_label(folder / "mask/RS.dcm", settings, read_scan(folder / "image").volume.grid, "image")
    published = read_nifti(real_data(f"sarcoma-nifti/{patient}/label.nii.gz"))
    places = published.grid.points_xyz_mm(np.argwhere(np.ones(published.grid.shape_zyx)))
    indices = np.rint(label.grid.indices_zyx(places)).astype(int).clip(0, np.array(label.grid.shape_zyx) - 1)
    ours = label.voxels_zyx[tuple(indices.T)].reshape(published.grid.shape_zyx)
    overlap = 2 * np.count_nonzero(ours & (published.voxels_zyx > 0))
    assert overlap / (np.count_nonzero(ours) + np.count_nonzero(published.voxels_zyx)) > 0.999
    assert np.count_nonzero(ours) == pytest.approx(np.count_nonzero(published.voxels_zyx), rel=0.001)
