"""Results as DICOM objects: read back, every voxel lies where it was, on the right side, whatever the geometry."""

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from scipy.ndimage import zoom
from scipy.spatial.transform import Rotation

from ctseg.components import measure_components
from ctseg.dicom import read_dicom
from ctseg.dicom_objects import write_objects
from ctseg.dicom_series import choose_stack
from ctseg.dicom_terms import term_of
from ctseg.errors import InputError
from ctseg.findings import Findings, hash_of
from ctseg.labels import LabelSettings, read_label
from ctseg.volume import Grid, Volume
from dicom_files import body, write, write_series, write_stack
from real_data import real_data
from test_dicom_frames import GRID as FRAMES_GRID
from test_dicom_frames import multiframe

NAMES = ("liver", "tumour")
SHAPE = (5, 11, 13)
UIDS = {"StudyInstanceUID": "1.2.3.4", "FrameOfReferenceUID": "1.2.3.5"}
MATRICES = {
    "head first": np.eye(3),
    "feet first": np.diag([-1.0, 1, -1]),
    "prone": np.diag([-1.0, -1, 1]),
    "feet first and prone": np.diag([1.0, -1, -1]),
    "on the side": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "oblique": Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix(),
    "coronal": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
}
STACKS = {
    "tilted": ([index * 2.0 for index in range(9)], 12.0),
    "tilted back": ([index * 2.0 for index in range(9)], -25.0),
    "gap": ([0, 2, 4, 6, 10, 12, 14], 0.0),
    "tilted with changing distance": ([0, 2, 4, 6, 8.6, 11.2, 13.8, 16.4], 12.0),
}


def straight(folder, matrix):
    """A series of anisotropic voxels along the columns of a rotation."""
    grid = Grid(SHAPE, (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), tuple(map(tuple, matrix.tolist())))
    return write_series(folder, body(SHAPE), grid, **UIDS)


@pytest.fixture(params=[*MATRICES, "multi-frame"])
def series(request, tmp_path):
    """A series that is read without interpolation."""
    if request.param == "multi-frame":
        write(multiframe(body(FRAMES_GRID.shape_zyx), **UIDS), tmp_path / "ct" / "one")
        return tmp_path / "ct"
    return straight(tmp_path / "ct", MATRICES[request.param])


@pytest.fixture(params=STACKS)
def resampled(request, tmp_path):
    """A series that is resampled when it is read."""
    return write_stack(tmp_path / "ct", *STACKS[request.param], **UIDS)


def speckles(shape_zyx, n_classes):
    """Random classes in a third of the voxels: all that a contour can meet, but for size."""
    rng = np.random.default_rng(7)
    return (rng.integers(1, n_classes + 1, shape_zyx) * (rng.random(shape_zyx) < 0.3)).astype(np.uint8)


def blobs(shape_zyx, n_classes):
    """Random lumps with holes, whose number does not grow with the scan."""
    rng = np.random.default_rng(7)
    coarse = rng.random((7, 7, 7))
    smooth = zoom(coarse, np.divide(shape_zyx, 7), order=1, grid_mode=True, mode="nearest")
    return np.digitize(smooth, np.linspace(0.6, 1, n_classes + 1)[:-1]).astype(np.uint8)


def nothing(shape_zyx, _):
    return np.zeros(shape_zyx, np.uint8)


def written(series, folder, draw=speckles, names=NAMES):
    """Labels on the grid of a series, of which objects are written into the folder."""
    scan, _ = read_dicom(series, irregular="resample")
    labels = Volume(draw(scan.grid.shape_zyx, len(names)), scan.grid)
    findings = Findings(labels, names, measure_components(labels, scan), "c0ffee" * 10 + "beef")
    write_objects(folder, choose_stack(series), findings)
    return labels


def read_back(path, grid, names=NAMES):
    settings = LabelSettings({name: value for value, name in enumerate(names, start=1)}, missing_ok=True)
    return read_label(path, settings, grid, "image").voxels_zyx


def headers(series):
    return [pydicom.dcmread(path) for path in sorted(series.iterdir())]


def expected_on_slice(header, labels):
    """The class of the voxel nearest to each pixel of a slice, by the slice's own header."""
    axes = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
    rows, columns = np.indices((header.Rows, header.Columns)).reshape(2, -1, 1)
    row_mm, column_mm = map(float, header.PixelSpacing)
    points = np.array(header.ImagePositionPatient, float) + rows * row_mm * axes[1] + columns * column_mm * axes[0]
    indices = np.rint(labels.grid.indices_zyx(points)).astype(int)
    return labels.voxels_zyx[tuple(indices.T)].reshape(header.Rows, header.Columns)


def test_a_seg_has_the_same_voxels(series, tmp_path):
    labels = written(series, tmp_path / "out")
    np.testing.assert_array_equal(read_back(tmp_path / "out" / "seg.dcm", labels.grid), labels.voxels_zyx)


def test_another_reader_finds_the_class_of_the_nearest_voxel_on_each_slice(resampled, tmp_path):
    labels = written(resampled, tmp_path / "out")
    seg = hd.seg.segread(tmp_path / "out" / "seg.dcm")
    for header in headers(resampled):
        found = seg.get_pixels_by_source_instance([header.SOPInstanceUID], combine_segments=True)[0]
        np.testing.assert_array_equal(found, expected_on_slice(header, labels))


def test_another_reader_places_the_frames_on_the_slices(series, tmp_path):
    labels = written(series, tmp_path / "out")
    seg = hd.seg.segread(tmp_path / "out" / "seg.dcm")
    volume = seg.get_volume(combine_segments=True)
    indices = np.argwhere(volume.array >= 0)
    found = labels.grid.indices_zyx(volume.map_indices_to_reference(indices))
    np.testing.assert_allclose(found, np.rint(found), atol=1e-4)
    nearest = tuple(np.rint(found).astype(int).T)
    np.testing.assert_array_equal(volume.array.ravel(), labels.voxels_zyx[nearest])


def test_an_rtstruct_has_the_same_voxels(series, tmp_path):
    labels = written(series, tmp_path / "out")
    np.testing.assert_array_equal(read_back(tmp_path / "out" / "rtstruct.dcm", labels.grid), labels.voxels_zyx)


def test_an_rtstruct_has_the_same_voxels_in_every_plane_that_has_a_slice(resampled, tmp_path):
    labels = written(resampled, tmp_path / "out")
    found = read_back(tmp_path / "out" / "rtstruct.dcm", labels.grid)
    positions = np.array([header.ImagePositionPatient for header in headers(resampled)], float)
    depths = labels.grid.indices_zyx(positions)[:, 0]
    planes = np.rint(depths[np.abs(depths - np.rint(depths)) < 0.01]).astype(int)
    assert len(planes) > 1
    np.testing.assert_array_equal(found[planes], labels.voxels_zyx[planes])


def test_every_contour_lies_in_the_slice_that_it_refers_to(resampled, tmp_path):
    written(resampled, tmp_path / "out")
    slices = {header.SOPInstanceUID: header for header in headers(resampled)}
    for roi in pydicom.dcmread(tmp_path / "out" / "rtstruct.dcm").ROIContourSequence:
        for contour in roi.ContourSequence:
            header = slices[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
            offsets = np.reshape(contour.ContourData, (-1, 3)) - np.array(header.ImagePositionPatient, float)
            normal = np.cross(*np.reshape(header.ImageOrientationPatient, (2, 3)).astype(float))
            assert np.abs(offsets @ normal).max() < 1e-3
            assert contour.NumberOfContourPoints == len(offsets)


def test_contours_refer_to_the_frames_of_a_multiframe_file(tmp_path):
    path = write(multiframe(body(FRAMES_GRID.shape_zyx), **UIDS), tmp_path / "ct" / "one")
    written(tmp_path / "ct", tmp_path / "out")
    groups = pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
    for roi in pydicom.dcmread(tmp_path / "out" / "rtstruct.dcm").ROIContourSequence:
        for contour in roi.ContourSequence:
            frame = groups[contour.ContourImageSequence[0].ReferencedFrameNumber - 1]
            height = frame.PlanePositionSequence[0].ImagePositionPatient[2]
            assert contour.ContourData[2] == pytest.approx(height, abs=1e-3)


def test_a_long_outline_is_one_contour(tmp_path):
    grid = Grid((2, 200, 400), (1, 1, 2), (-200.125, -100.125, 0), tuple(map(tuple, np.eye(3).tolist())))
    series = write_series(tmp_path / "ct", body(grid.shape_zyx), grid, **UIDS)
    comb = np.zeros(grid.shape_zyx, np.uint8)
    comb[:, :, ::2] = comb[:, 0] = 1
    comb[:, 5, ::2] = 0
    comb[:, :5] = comb[:, 6:11] = 1
    findings = Findings(Volume(comb, grid), ("liver",), [], "0")
    write_objects(tmp_path / "out", choose_stack(series), findings)
    roi = pydicom.dcmread(tmp_path / "out" / "rtstruct.dcm").ROIContourSequence[0]
    assert max(len(contour.ContourData) for contour in roi.ContourSequence) * 7 > 2**16 / 4
    np.testing.assert_array_equal(read_back(tmp_path / "out" / "rtstruct.dcm", grid, ("liver",)), comb)


def test_a_segment_says_what_it_is_who_made_it_and_which_colour_it_has(tmp_path):
    series = straight(tmp_path / "ct", np.eye(3))
    written(series, tmp_path / "out")
    seg = pydicom.dcmread(tmp_path / "out" / "seg.dcm")
    assert (seg.SegmentationType, seg.FrameOfReferenceUID) == ("BINARY", UIDS["FrameOfReferenceUID"])
    first, second = seg.SegmentSequence
    assert [first.SegmentLabel, second.SegmentLabel] == list(NAMES)
    assert first.SegmentedPropertyTypeCodeSequence[0].CodeValue == "10200004"
    assert second.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Neoplasm"
    assert first.RecommendedDisplayCIELabValue != second.RecommendedDisplayCIELabValue
    algorithm = first.SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmName == "ctseg"
    assert "c0ffee" in algorithm.AlgorithmParameters
    referenced = {item.ReferencedSOPInstanceUID for item in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    assert referenced == {header.SOPInstanceUID for header in headers(series)}


def test_patient_and_study_are_those_of_the_source(tmp_path):
    identity = {"PatientName": "Müller^Jörg", "PatientID": "  007", "StudyDate": "19991231", "PatientSex": "unknown"}
    grid = Grid(SHAPE, (1, 1, 2), (0, 0, 0), tuple(map(tuple, np.eye(3).tolist())))
    elements = UIDS | identity | {"SpecificCharacterSet": "ISO_IR 100"}
    series = write_series(tmp_path / "ct", body(SHAPE), grid, **elements)
    written(series, tmp_path / "out", names=("肝脏",))
    objects = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in objects] == ["rtstruct.dcm", "seg.dcm"]
    for path in objects:
        found = pydicom.dcmread(path)
        assert {keyword: str(found[keyword].value) for keyword in identity} == identity
        assert (found.StudyInstanceUID, found.Modality) == (UIDS["StudyInstanceUID"], path.stem.upper())
        assert found.SeriesInstanceUID != "1.2.3"
        assert found.AccessionNumber == ""
    assert pydicom.dcmread(objects[-1]).SegmentSequence[0].SegmentLabel == "肝脏"


def test_nothing_found_is_an_object_too(tmp_path):
    labels = written(straight(tmp_path / "ct", np.eye(3)), tmp_path / "out", draw=nothing)
    assert not labels.voxels_zyx.any()
    for name in ("seg.dcm", "rtstruct.dcm"):
        assert not read_back(tmp_path / "out" / name, labels.grid).any()


def test_a_copy_of_a_slice_changes_nothing(tmp_path):
    series = straight(tmp_path / "ct", np.eye(3))
    copied = headers(series)[0]
    copied.SOPInstanceUID = copied.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    write(copied, series / "copy")
    labels = written(series, tmp_path / "out")
    np.testing.assert_array_equal(read_back(tmp_path / "out" / "seg.dcm", labels.grid), labels.voxels_zyx)


@pytest.mark.parametrize(
    ("element", "value", "message"),
    [
        ("FrameOfReferenceUID", "", "lack their FrameOfReferenceUID"),
        ("SOPInstanceUID", "1.2.3.9", "share their SOPInstanceUID"),
    ],
)
def test_slices_that_nothing_can_refer_to_are_refused(tmp_path, element, value, message):
    series = straight(tmp_path / "ct", np.eye(3))
    for path in series.iterdir():
        header = pydicom.dcmread(path)
        setattr(header, element, value)
        write(header, path)
    with pytest.raises(InputError, match=message):
        written(series, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_segmentation_of_another_scan_is_refused(tmp_path):
    series = straight(tmp_path / "ct", np.eye(3))
    scan, _ = read_dicom(series)
    moved = Grid(SHAPE, scan.grid.spacing_xyz_mm, (0.0, 4.0, 30.0), scan.grid.direction)
    findings = Findings(Volume(np.ones(SHAPE, np.uint8), moved), ("liver",), [], "0")
    with pytest.raises(InputError, match="does not lie on the slices of"):
        write_objects(tmp_path / "out", choose_stack(series), findings)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("nodule", "Nodule"),
        ("liver_tumor", "Neoplasm"),
        ("GTV_Mass", "Neoplasm"),
        ("Left lung", "Lung"),
        ("kidneys", "Kidney"),
        ("lymph nodes", "Lymph Node"),
        ("bladder", "Bladder"),
        ("gallbladder", "Gallbladder"),
        ("target 7", "Tissue"),
        ("肝脏", "Tissue"),
    ],
)
def test_the_terms_of_common_names(name, meaning):
    assert term_of(name).kind.meaning == meaning


def test_the_hash_of_a_model_is_that_of_its_file(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"abc")
    assert hash_of(tmp_path / "model.onnx").startswith("ba7816bf")


REAL = {
    "sarcoma-dicom/STS_002/CT/image": True,
    "lidc-dicom/LIDC-IDRI-0001": True,
    "dicom-quirks/seg/24x38x3/multiframe": True,
    "dicom-quirks/seg/24x38x3/image": True,
    "dicom-quirks/gantry-tilt-ge": False,
}


@pytest.mark.realdata
@pytest.mark.parametrize("folder", REAL)
def test_real_series(folder, tmp_path):
    series = real_data(folder)
    labels = written(series, tmp_path, draw=blobs)
    if REAL[folder]:
        for name in ("seg.dcm", "rtstruct.dcm"):
            np.testing.assert_array_equal(read_back(tmp_path / name, labels.grid), labels.voxels_zyx)
    else:
        seg = hd.seg.segread(tmp_path / "seg.dcm")
        for part in choose_stack(series).stack.slices:
            header = pydicom.dcmread(part.path)
            found = seg.get_pixels_by_source_instance([header.SOPInstanceUID], combine_segments=True)[0]
            np.testing.assert_array_equal(found, expected_on_slice(header, labels))


@pytest.mark.realdata
def test_a_real_series_without_a_frame_of_reference_is_refused(tmp_path):
    with pytest.raises(InputError, match="lack their FrameOfReferenceUID"):
        written(real_data("dicom-quirks/irregular/gantrytilting/001"), tmp_path / "out")
