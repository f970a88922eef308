"""Tilted gantries, missing slices and uneven distances: resampled to a regular grid, or rejected with a reason."""

import zipfile

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from scipy.ndimage import map_coordinates

from ctseg.dicom.read_ct import read_dicom
from ctseg.errors import InputError
from ctseg.geometry.volume import AIR_HU, Volume
from ctseg.labels.outlines import rasterise
from ctseg.scans.nifti import read_nifti
from ctseg.scans.scan_warnings import warnings_of
from dicom_files import CENTRE_XYZ_MM, SPACING_MM, body, smooth_hu, write, write_stack
from multiframe_files import multiframe, phases
from real_data import real_data


def errors_hu(volume: Volume) -> np.ndarray:
    """Absolute errors in HU of the voxels within 15 mm of the centre of the smooth ball."""
    points = volume.grid.points_xyz_mm(np.argwhere(np.ones(volume.grid.shape_zyx)))
    near = np.linalg.norm(points - CENTRE_XYZ_MM, axis=1) < 15
    assert near.any()
    return np.abs(volume.voxels_zyx.ravel()[near] - smooth_hu(points[near]))


@pytest.mark.parametrize(
    "heights_mm, message",
    [
        ([0, 2.5, 5, 10, 12.5], "1 slice.* missing .*02.dcm and 03.dcm.* 5.00 mm apart, not 2.50"),
        ([0, 1, 2, 3, 7, 8, 11], "5 slice.* missing"),
        ([0, 2, 4, 7, 10, 13], "not evenly spaced: their distances go from 2.00 to 3.00 mm"),
        ([0, 1, 2, 3.2, 4, 5], "not evenly spaced"),
    ],
)
def test_uneven_stacks_are_refused(tmp_path, heights_mm, message):
    with pytest.raises(InputError, match=message) as error:
        read_dicom(write_stack(tmp_path, heights_mm))
    assert "convert.irregular: resample (--interpolate" in str(error.value)


def test_slices_at_one_place_are_no_volume(tmp_path):
    with pytest.raises(InputError, match="at one position"):
        read_dicom(write_stack(tmp_path, [5, 5]))


def test_frames_of_one_file_at_one_position_are_named_by_their_numbers(tmp_path):
    first, second = body((3, 32, 40), seed=1), body((3, 32, 40), seed=2)
    write(phases(first, second, "FrameContentSequence", "FrameAcquisitionDuration"), tmp_path / "one")
    with pytest.raises(InputError, match=r"frame 3 of one and frame 6 of one in .* lie at the same position"):
        read_dicom(tmp_path)


def test_frames_beside_a_missing_one_are_named_by_their_numbers(tmp_path):
    dataset = multiframe(body((6, 32, 40)))
    frames = dataset.pixel_array[[0, 1, 3, 4, 5]]  # in reverse order
    del dataset.PerFrameFunctionalGroupsSequence[2]
    dataset.PixelData, dataset.NumberOfFrames = frames.tobytes(), 5
    write(dataset, tmp_path / "one")
    with pytest.raises(InputError, match=r"1 slice.* missing .* between frame 3 of one and frame 2 of one"):
        read_dicom(tmp_path)


@pytest.mark.parametrize("tilt_deg", [0, 12])
@pytest.mark.parametrize(
    "heights_mm, n_planes, gaps",
    [
        ([0, 2, 4, 6, 10, 12, 14, 16], 9, [(4, 4.0)]),
        ([0, 2, 4, 6, 9, 12, 15, 18], 10, [(4, 3.0), (5, 3.0), (6, 3.0), (7, 3.0)]),
        ([0, 2, 4, 5, 6, 8, 10, 12, 14, 16], 9, [(3, 1.0), (4, 1.0)]),
    ],
)
def test_uneven_stacks_are_brought_to_their_usual_distance(tmp_path, heights_mm, n_planes, gaps, tilt_deg):
    folder = write_stack(tmp_path, heights_mm, tilt_deg)
    volume, facts = read_dicom(folder, irregular="resample")
    assert volume.grid.shape_zyx[0] == n_planes
    factor = np.cos(np.radians(tilt_deg))
    found = [(gap["after_slice"], gap["distance_mm"]) for gap in facts["gaps"]]
    assert found == [(place, pytest.approx(distance * factor, abs=0.01)) for place, distance in gaps]
    assert facts["tilt_deg"] == pytest.approx(tilt_deg, abs=0.01)
    assert errors_hu(volume).max() < 22  # h² f'' / 8 for linear interpolation over h = 4 mm


@settings(max_examples=15, deadline=None)
@given(
    tilt_deg=st.floats(-30, 30).filter(lambda angle: abs(angle) > 3),
    distance_mm=st.floats(0.7, 4),
    n_slices=st.integers(4, 12),
)
def test_a_tilted_gantry_is_sheared_back(tmp_path_factory, tilt_deg, distance_mm, n_slices):
    assume((n_slices - 1) * distance_mm * abs(np.sin(np.radians(tilt_deg))) > SPACING_MM)
    heights_mm = [index * distance_mm for index in range(n_slices)]
    volume, facts = read_dicom(write_stack(tmp_path_factory.mktemp("tilted"), heights_mm, tilt_deg))
    direction = np.asarray(volume.grid.direction)
    np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-9)
    assert volume.grid.spacing_xyz_mm[2] == pytest.approx(distance_mm * np.cos(np.radians(tilt_deg)), rel=1e-3)
    assert facts["tilt_deg"] == pytest.approx(abs(tilt_deg), abs=0.01)
    assert facts["gaps"] == []
    assert errors_hu(volume).max() < 4  # h² f'' / 8 for h = 1.5 mm: interpolated within the slice alone


def test_an_even_straight_stack_is_not_interpolated(tmp_path):
    folder = write_stack(tmp_path, [0, 2, 4, 6], tilt_deg=0)
    kept, _ = read_dicom(folder)
    again, facts = read_dicom(folder, irregular="resample")
    np.testing.assert_array_equal(kept.voxels_zyx, again.voxels_zyx)
    assert (facts["gaps"], facts["tilt_deg"], facts["slices_shifted_mm"]) == ([], 0.0, 0.0)


@pytest.mark.parametrize(("moved", "shift_mm"), [([2, 3], 3.0), ([4, 5, 6, 7], 1.5)])
def test_slices_beside_the_others_are_shifted_back_and_told(tmp_path, moved, shift_mm):
    """Single slices, and all slices from one on, which lie on no line either: no tilt of the gantry."""
    folder = write_stack(tmp_path, [0, 2, 4, 6, 8, 10, 12, 14])
    for index in moved:
        path = sorted(folder.iterdir())[index]
        header = dcmread(path)
        header.ImagePositionPatient[0] += 3.0
        header.save_as(path)
    _, facts = read_dicom(folder)
    assert (facts["tilt_deg"], facts["gaps"]) == (0.0, [])
    assert facts["slices_shifted_mm"] == pytest.approx(shift_mm, abs=0.5)
    (told,) = (text for text in warnings_of(facts) if "shifted" in text)
    assert f"up to {facts['slices_shifted_mm']} mm beside" in told


def test_rounded_positions_are_fine(tmp_path):
    heights = np.round(np.arange(40) * 0.625, 1).tolist()
    volume, facts = read_dicom(write_stack(tmp_path, heights))
    assert volume.grid.spacing_xyz_mm[2] == pytest.approx(0.625, abs=1e-3)
    assert volume.grid.origin_xyz_mm[2] == pytest.approx(CENTRE_XYZ_MM[2] - np.mean(heights), abs=0.05)
    assert facts["gaps"] == []


QUIRKS = "dicom-quirks"


@pytest.mark.realdata
@pytest.mark.parametrize(
    "folder, message",
    [
        ("irregular/sliceincrement/001", "1 slice.* missing"),
        ("irregular/sliceincrement/002", "1 slice.* missing"),
        ("irregular/notavolume/001", "4 slices all lie at one position"),
        ("irregular/slicecount/001", "found 2 MR"),
        ("irregular/sliceorientation/001", "found 4 MR"),
        ("gantry-tilt-ge", "not evenly spaced: their distances go from 1.08 to 7.00 mm"),
    ],
)
def test_irregular_series_are_refused(folder, message):
    with pytest.raises(InputError, match=message):
        read_dicom(real_data(f"{QUIRKS}/{folder}"))


@pytest.mark.realdata
def test_scattered_slices_are_refused(tmp_path):
    with zipfile.ZipFile(real_data(f"{QUIRKS}/duplicate-positions.zip")) as archive:
        archive.extractall(tmp_path)
    with pytest.raises(InputError, match="not evenly spaced"):
        read_dicom(tmp_path)


@pytest.mark.realdata
def test_a_tilted_uneven_head_scan_equals_that_of_another_program():
    volume, facts = read_dicom(real_data(f"{QUIRKS}/gantry-tilt-ge"), irregular="resample")
    reference = read_nifti(real_data(f"{QUIRKS}/gantry-tilt-ge-reference/_2_Tilt_Eq_1.nii.gz"))
    assert facts["tilt_deg"] == pytest.approx(18.5, abs=0.01)
    assert len(facts["gaps"]) == 14
    indices = np.argwhere(reference.voxels_zyx > -300)[::5]
    ours = map_coordinates(
        volume.voxels_zyx.astype(np.float32),
        volume.grid.indices_zyx(reference.grid.points_xyz_mm(indices)).T,
        order=1,
        cval=AIR_HU,
    )
    difference = np.abs(ours - reference.voxels_zyx[tuple(indices.T)])[ours > AIR_HU]
    assert difference.mean() < 5
    assert np.median(difference) < 1


@pytest.mark.realdata
def test_the_corners_of_a_tilted_scan_lie_where_another_program_puts_them():
    volume, _ = read_dicom(real_data(f"{QUIRKS}/irregular/sliceincrement/002"), irregular="resample")
    reference = read_nifti(real_data(f"{QUIRKS}/irregular/sliceincrement/002_ground_truth.nii.gz"))
    assert volume.grid.shape_zyx == reference.grid.shape_zyx
    nearest = [
        np.linalg.norm(reference.grid.corners_xyz_mm() - corner, axis=1).min()
        for corner in volume.grid.corners_xyz_mm()
    ]
    assert max(nearest) < 0.5
    # The pixels of this series are noise, and the reference lacks the first and last plane: each other plane must agree
    # best with the plane of ctseg at the same position.
    for plane in (1, 2, 3):
        inside = (slice(20, -20), slice(50, -50))
        flat = reference.voxels_zyx[plane, ::-1][inside].ravel()
        alike = [np.corrcoef(flat, other[inside].ravel())[0, 1] for other in volume.voxels_zyx]
        assert int(np.argmax(alike)) == plane
        assert alike[plane] > 0.7


@pytest.mark.realdata
def test_a_real_tilted_scan_becomes_orthogonal():
    volume, facts = read_dicom(real_data(f"{QUIRKS}/irregular/gantrytilting/001"))
    assert facts["tilt_deg"] == pytest.approx(14, abs=0.01)
    assert volume.grid.spacing_xyz_mm[2] == pytest.approx(5 * np.cos(np.radians(14)), abs=1e-4)
    np.testing.assert_allclose(volume.grid.affine[:3, 1] / 0.41796875, (0, 0.970296, -0.241922), atol=1e-5)


def test_contours_that_were_drawn_on_tilted_slices_fit_what_became_of_them(tmp_path):
    heights_mm = np.arange(0, 20, 2.0)
    folder = write_stack(tmp_path, list(heights_mm), tilt_deg=15)
    volume, _ = read_dicom(folder, irregular="resample")
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    contours = []
    for path in sorted(folder.iterdir()):
        part = dcmread(path)
        rows_columns = np.array(part.ImageOrientationPatient, dtype=float).reshape(2, 3)
        # A circle with a radius of 12 mm near the middle of the slice, in the plane of the slice.
        plane = np.array([26 + 12 * np.cos(angle), 29 + 12 * np.sin(angle)]).T
        contours.append(np.array(part.ImagePositionPatient, dtype=float) + plane @ rows_columns)
    mask = rasterise(contours, volume.grid, "GTV", "image").mask
    expected_mm3 = np.pi * 12**2 * (np.ptp(heights_mm) * np.cos(np.radians(15)) + volume.grid.spacing_xyz_mm[2])
    assert mask.any(axis=(1, 2)).all()
    assert mask.sum() * volume.grid.voxel_volume_mm3 == pytest.approx(expected_mm3, rel=0.03)
