"""DICOM files of the phantom contain its HU, positions, series and contours."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset

from ctseg.geometry.volume import AIR_HU
from ctseg.phantom.cases import phantom_case, phantom_has_localizer, phantom_is_feet_first, phantom_label_name
from ctseg.phantom.dicom import reading_order, write_rtstruct, write_series
from ctseg.phantom.patient import Phantom, PhantomSettings, make_phantom

SETTINGS = PhantomSettings(seed=5, spacing_mm=(2.1, 2.2), slice_distance_mm=(2.9, 3.0), nodules=(3, 3))


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(SETTINGS, 2)


@pytest.fixture(scope="module")
def head_first(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("head_first")
    write_series(phantom, 2, folder, with_localizer=True, feet_first=False)
    return folder


@pytest.fixture(scope="module")
def feet_first(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("feet_first")
    write_series(phantom, 3, folder, with_localizer=False, feet_first=True)
    return folder


def read_slices(folder: Path) -> list[FileDataset]:
    """Slices without localizers, from feet to head."""
    files = [pydicom.dcmread(path) for path in folder.iterdir()]
    slices = [file for file in files if "LOCALIZER" not in file.ImageType]
    return sorted(slices, key=lambda file: float(file.ImagePositionPatient[2]))


def hu_of(file: FileDataset) -> np.ndarray:
    """HU [y, x] of a slice, with padding as air."""
    pixels = file.pixel_array
    hu = pixels * float(file.RescaleSlope) + float(file.RescaleIntercept)
    return np.where(pixels == file.PixelPaddingValue, AIR_HU, hu)


def position_xyz_mm(file: FileDataset, row: int, column: int) -> np.ndarray:
    """Position of the centre of a pixel (x, y, z in mm, PS3.3 C.7.6.2.1.1)."""
    along_row, along_column = np.reshape([float(v) for v in file.ImageOrientationPatient], (2, 3))
    between_rows, between_columns = (float(v) for v in file.PixelSpacing)
    start = np.array([float(v) for v in file.ImagePositionPatient])
    return start + along_row * between_columns * column + along_column * between_rows * row


def test_hu_survive_the_way_through_the_files(phantom: Phantom, head_first: Path) -> None:
    slices = read_slices(head_first)
    assert all(file.PixelRepresentation == 0 and file.RescaleIntercept == -1024 for file in slices)
    assert (np.stack([hu_of(file) for file in slices]) == phantom.image.voxels_zyx).all()


def test_feet_first_turns_the_rows_and_keeps_the_patient(phantom: Phantom, head_first: Path, feet_first: Path) -> None:
    turned = read_slices(feet_first)
    assert {file.PatientPosition for file in turned} == {"FFS"}
    assert {file.PatientPosition for file in read_slices(head_first)} == {"HFS"}
    assert (np.stack([hu_of(file)[:, ::-1] for file in turned]) == phantom.image.voxels_zyx).all()
    for k, file in list(enumerate(turned))[::20]:
        width = file.Columns
        for row, column in ((0, 0), (7, 30)):
            place = phantom.image.grid.points_xyz_mm(np.array([[k, row, width - 1 - column]]))[0]
            assert position_xyz_mm(file, row, column) == pytest.approx(place, abs=1e-3)


def test_positions_are_the_grids(phantom: Phantom, head_first: Path) -> None:
    for k, file in enumerate(read_slices(head_first)):
        place = phantom.image.grid.points_xyz_mm(np.array([[k, 11, 5]]))[0]
        assert position_xyz_mm(file, 11, 5) == pytest.approx(place, abs=1e-3)


def test_reading_order_moves_no_voxel(phantom: Phantom) -> None:
    turned = reading_order(phantom.label, feet_first=True)
    assert reading_order(phantom.label, feet_first=False) is phantom.label
    assert np.linalg.det(turned.grid.direction) == pytest.approx(1)
    before = phantom.label.grid.points_xyz_mm(np.argwhere(phantom.label.voxels_zyx))
    after = turned.grid.points_xyz_mm(np.argwhere(turned.voxels_zyx))
    assert np.sort(after, axis=0) == pytest.approx(np.sort(before, axis=0), abs=1e-6)


def test_signed_pixels_carry_raw_padding(feet_first: Path) -> None:
    first = read_slices(feet_first)[0]
    assert first.PixelRepresentation == 1
    assert first.pixel_array[0, 0] == first.PixelPaddingValue == -2000
    assert first.pixel_array[first.Rows // 2].min() >= 0


def test_the_localizer_is_a_series_of_its_own(phantom: Phantom, head_first: Path) -> None:
    files = [pydicom.dcmread(path) for path in head_first.iterdir()]
    localizers = [file for file in files if "LOCALIZER" in file.ImageType]
    assert len(localizers) == 1
    assert len(files) == phantom.image.grid.shape_zyx[0] + 1
    series = {file.SeriesInstanceUID for file in files if file is not localizers[0]}
    assert len(series) == 1
    assert localizers[0].SeriesInstanceUID not in series
    assert len({file.SOPInstanceUID for file in files}) == len(files)
    assert len({file.StudyInstanceUID for file in files}) == 1
    assert localizers[0].pixel_array.shape == (phantom.image.grid.shape_zyx[0], phantom.image.grid.shape_zyx[2])


def test_file_names_do_not_follow_the_slices(head_first: Path) -> None:
    slices = sorted((path.name, pydicom.dcmread(path).InstanceNumber) for path in head_first.iterdir())
    numbers = [number for _, number in slices]
    assert numbers != sorted(numbers)
    assert numbers != sorted(numbers, reverse=True)


def test_two_runs_write_the_same_bytes(phantom: Phantom, head_first: Path, tmp_path: Path) -> None:
    write_series(phantom, 2, tmp_path / "series", with_localizer=True, feet_first=False)
    first = {path.name: path.read_bytes() for path in head_first.iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "series").iterdir()} == first
    for name in ("a.dcm", "b.dcm"):
        write_rtstruct(phantom, head_first, tmp_path / name)
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()


@pytest.mark.parametrize("folder_name", ["head_first", "feet_first"])
def test_contours_lie_on_slices_and_enclose_the_label(
    phantom: Phantom, folder_name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = request.getfixturevalue(folder_name)
    write_rtstruct(phantom, folder, tmp_path / "rtstruct.dcm")
    rtstruct = pydicom.dcmread(tmp_path / "rtstruct.dcm")
    assert [roi.ROIName for roi in rtstruct.StructureSetROISequence] == ["nodule"]
    slices = {file.SOPInstanceUID: file for file in read_slices(folder)}
    area_mm2, loops = 0.0, 0
    for contour in rtstruct.ROIContourSequence[0].ContourSequence:
        assert contour.ContourGeometricType == "CLOSED_PLANAR"
        points = np.reshape([float(v) for v in contour.ContourData], (-1, 3))
        assert len(points) == contour.NumberOfContourPoints
        referenced = slices[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
        assert points[:, 2] == pytest.approx(float(referenced.ImagePositionPatient[2]), abs=2e-3)
        x, y = points[:, 0], points[:, 1]
        area_mm2 += abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2
        loops += 1
    dx, dy, _ = phantom.label.grid.spacing_xyz_mm
    # Each outline cuts its corners, which removes half a pixel.
    assert area_mm2 == pytest.approx((phantom.label.voxels_zyx.sum() - loops / 2) * dx * dy, rel=0.01)


def test_the_first_patients_show_every_kind() -> None:
    assert [phantom_case(index) for index in (0, 12)] == ["phantom-000", "phantom-012"]
    assert [phantom_label_name(index) for index in range(2)] == ["rtstruct.dcm", "label.nii.gz"]
    kinds = {(phantom_is_feet_first(index), phantom_label_name(index)) for index in range(6)}
    assert len(kinds) == 4
    assert sum(phantom_has_localizer(index) for index in range(16)) == 1
