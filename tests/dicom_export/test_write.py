"""Results as DICOM objects: read back, every voxel lies where it was, on the right side, whatever the geometry."""

import shutil
import subprocess

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from ctseg.dicom.read_ct import read_dicom
from ctseg.dicom.series import choose_stack
from ctseg.dicom_export.coded_terms import term_of
from ctseg.dicom_export.findings import Findings, hash_of
from ctseg.dicom_export.write import write_objects
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.read_label import LabelSettings, read_label
from dicom_files import REFERABLE, body, write, write_series
from dicom_results import (
    NAMES,
    SHAPE,
    STACKS,
    STRAIGHT,
    expected_on_slice,
    headers,
    multiframe_series,
    nothing,
    straight,
    written,
)
from real_data import real_data

MODALITIES = {"seg": "SEG", "rtstruct": "RTSTRUCT", "report": "SR"}


@pytest.fixture(params=STRAIGHT)
def results(request, dicom_results):
    """Results for a series that is read without interpolation."""
    return dicom_results(request.param)


@pytest.fixture(params=STACKS)
def resampled(request, dicom_results):
    """Results for a series that is resampled when it is read."""
    return dicom_results(request.param)


def read_back(path, grid, names=NAMES):
    settings = LabelSettings({name: value for value, name in enumerate(names, start=1)}, missing_ok=True)
    return read_label(path, settings, grid, "image").voxels_zyx


def test_a_seg_has_the_same_voxels(results):
    labels = results.labels
    np.testing.assert_array_equal(read_back(results.folder / "seg.dcm", labels.grid), labels.voxels_zyx)


def test_another_reader_finds_the_class_of_the_nearest_voxel_on_each_slice(resampled):
    labels = resampled.labels
    seg = hd.seg.segread(resampled.folder / "seg.dcm")
    for header in headers(resampled.series):
        found = seg.get_pixels_by_source_instance([header.SOPInstanceUID], combine_segments=True)[0]
        np.testing.assert_array_equal(found, expected_on_slice(header, labels))


def test_another_reader_places_the_frames_on_the_slices(results):
    labels = results.labels
    seg = hd.seg.segread(results.folder / "seg.dcm")
    volume = seg.get_volume(combine_segments=True)
    indices = np.argwhere(volume.array >= 0)
    found = labels.grid.indices_zyx(volume.map_indices_to_reference(indices))
    np.testing.assert_allclose(found, np.rint(found), atol=1e-4)
    nearest = tuple(np.rint(found).astype(int).T)
    np.testing.assert_array_equal(volume.array.ravel(), labels.voxels_zyx[nearest])


def test_an_rtstruct_has_the_same_voxels(results):
    labels = results.labels
    np.testing.assert_array_equal(read_back(results.folder / "rtstruct.dcm", labels.grid), labels.voxels_zyx)


def test_an_rtstruct_has_the_same_voxels_in_every_plane_that_has_a_slice(resampled):
    labels = resampled.labels
    found = read_back(resampled.folder / "rtstruct.dcm", labels.grid)
    positions = np.array([header.ImagePositionPatient for header in headers(resampled.series)], float)
    depths = labels.grid.indices_zyx(positions)[:, 0]
    planes = np.rint(depths[np.abs(depths - np.rint(depths)) < 0.01]).astype(int)
    assert len(planes) > 1
    np.testing.assert_array_equal(found[planes], labels.voxels_zyx[planes])


def test_every_contour_lies_in_the_slice_that_it_refers_to(resampled):
    slices = {header.SOPInstanceUID: header for header in headers(resampled.series)}
    for roi in pydicom.dcmread(resampled.folder / "rtstruct.dcm").ROIContourSequence:
        for contour in roi.ContourSequence:
            header = slices[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
            offsets = np.reshape(contour.ContourData, (-1, 3)) - np.array(header.ImagePositionPatient, float)
            normal = np.cross(*np.reshape(header.ImageOrientationPatient, (2, 3)).astype(float))
            assert np.abs(offsets @ normal).max() < 1e-3
            assert contour.NumberOfContourPoints == len(offsets)


def test_contours_refer_to_the_frames_of_a_multiframe_file(tmp_path):
    path = multiframe_series(tmp_path / "ct")
    written(tmp_path / "ct", tmp_path / "out")
    groups = pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
    for roi in pydicom.dcmread(tmp_path / "out" / "rtstruct.dcm").ROIContourSequence:
        for contour in roi.ContourSequence:
            frame = groups[contour.ContourImageSequence[0].ReferencedFrameNumber - 1]
            height = frame.PlanePositionSequence[0].ImagePositionPatient[2]
            assert contour.ContourData[2] == pytest.approx(height, abs=1e-3)


def test_a_long_outline_is_one_contour(tmp_path):
    grid = Grid((2, 200, 400), (1, 1, 2), (-200.125, -100.125, 0), tuple(map(tuple, np.eye(3).tolist())))
    series = write_series(tmp_path / "ct", body(grid.shape_zyx), grid, **REFERABLE)
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
    assert (seg.SegmentationType, seg.FrameOfReferenceUID) == ("BINARY", REFERABLE["FrameOfReferenceUID"])
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
    elements = REFERABLE | identity | {"SpecificCharacterSet": "ISO_IR 100"}
    series = write_series(tmp_path / "ct", body(SHAPE), grid, **elements)
    written(series, tmp_path / "out", names=("肝脏",))
    objects = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in objects] == ["report.dcm", "rtstruct.dcm", "seg.dcm"]
    for path in objects:
        found = pydicom.dcmread(path)
        assert {keyword: str(found[keyword].value) for keyword in identity} == identity
        assert (found.StudyInstanceUID, found.Modality) == (REFERABLE["StudyInstanceUID"], MODALITIES[path.stem])
        assert found.SeriesInstanceUID != "1.2.3"
        assert found.AccessionNumber == ""
    assert pydicom.dcmread(objects[-1]).SegmentSequence[0].SegmentLabel == "肝脏"


def test_a_validator_of_dicom_finds_no_error(results):
    validator = shutil.which("dciodvfy")
    if validator is None:
        pytest.skip("needs dciodvfy, of Debian's dicom3tools")
    for path in sorted(results.folder.iterdir()):
        run = subprocess.run([validator, "-new", path], capture_output=True, text=True, check=False)
        found = (run.stdout + run.stderr).splitlines()
        assert not [line for line in found if line.startswith("Error")], path.name
        assert any(line in ("Segmentation", "RTStructureSet", "ComprehensiveSR") for line in found)


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


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("folder", REAL)
def test_real_series(folder, tmp_path):
    series = real_data(folder)
    labels = written(series, tmp_path)
    if REAL[folder]:
        for name in ("seg.dcm", "rtstruct.dcm"):
            np.testing.assert_array_equal(read_back(tmp_path / name, labels.grid), labels.voxels_zyx)
    else:
        seg = hd.seg.segread(tmp_path / "seg.dcm")
        for part in choose_stack(series).stack.slices:
            header = pydicom.dcmread(part.path)
            found = seg.get_pixels_by_source_instance([header.SOPInstanceUID], combine_segments=True)[0]
            np.testing.assert_array_equal(found, expected_on_slice(header, labels))


@pytest.mark.slow
@pytest.mark.realdata
def test_a_real_series_without_a_frame_of_reference_is_refused(tmp_path):
    with pytest.raises(InputError, match="lack their FrameOfReferenceUID"):
        written(real_data("dicom-quirks/irregular/gantrytilting/001"), tmp_path / "out")
