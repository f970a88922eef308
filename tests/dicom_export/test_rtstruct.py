"""RTSTRUCT, read back: the same voxels, and contours in the planes of the referenced slices."""

import numpy as np
import pydicom
import pytest

from ctseg.colours import class_colour
from ctseg.dicom.series import choose_stack
from ctseg.dicom_export.findings import Findings
from ctseg.dicom_export.write import write_objects
from ctseg.geometry.volume import Grid, Volume
from dicom_files import REFERABLE, body, write_series
from dicom_results import (
    headers,
    multiframe_series,
    nothing,
    read_back,
    straight,
    written,
)


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


def test_each_class_is_a_roi_with_its_colour_and_meaning_also_without_a_voxel(tmp_path):
    written(straight(tmp_path / "ct", np.eye(3)), tmp_path / "out", draw=nothing)
    dataset = pydicom.dcmread(tmp_path / "out" / "rtstruct.dcm")
    assert [(roi.ROINumber, roi.ROIName) for roi in dataset.StructureSetROISequence] == [(1, "liver"), (2, "tumour")]
    assert [roi.ReferencedROINumber for roi in dataset.ROIContourSequence] == [1, 2]
    assert not any("ContourSequence" in roi for roi in dataset.ROIContourSequence)
    colours = [tuple(roi.ROIDisplayColor) for roi in dataset.ROIContourSequence]
    assert colours == [tuple(bytes.fromhex(class_colour(number)[1:])) for number in (1, 2)]
    meanings = [part.RTROIIdentificationCodeSequence[0].CodeMeaning for part in dataset.RTROIObservationsSequence]
    assert meanings == ["Liver", "Neoplasm"]


def test_the_frame_of_reference_and_every_image_are_named(tmp_path):
    series = straight(tmp_path / "ct", np.eye(3))
    written(series, tmp_path / "out")
    (frame,) = pydicom.dcmread(tmp_path / "out" / "rtstruct.dcm").ReferencedFrameOfReferenceSequence
    assert frame.FrameOfReferenceUID == REFERABLE["FrameOfReferenceUID"]
    (referenced,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    images = {image.ReferencedSOPInstanceUID for image in referenced.ContourImageSequence}
    assert images == {header.SOPInstanceUID for header in headers(series)}
