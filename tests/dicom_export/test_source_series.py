"""Source series of a segmentation: references to its slices, and identity of the patient."""

import warnings

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from ctseg.dicom.dataset import items
from ctseg.dicom.read_ct import read_dicom
from ctseg.dicom.series import choose_stack
from ctseg.dicom_export.findings import Findings
from ctseg.dicom_export.source_series import REQUIRED, claim, labels_on_slices, planes_of, quiet, read_source
from ctseg.dicom_export.write import write_objects
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid, Volume
from dicom_files import write
from dicom_results import (
    SHAPE,
    headers,
    multiframe_series,
    read_back,
    straight,
    written,
)


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


@pytest.fixture
def source(tmp_path):
    """Source of a simple axial series."""
    return read_source(choose_stack(straight(tmp_path / "ct", np.eye(3))))


def test_what_refers_to_a_slice_holds_no_identity_and_no_pixels(source):
    assert len(source.images) == len(source.slices) == SHAPE[0]
    for image in source.images:
        assert not any(image.get(keyword) for keyword in REQUIRED)
        assert "PixelData" not in image
    assert source.identity.PatientID == "SECRETID"
    assert not source.is_multiframe
    assert source.image_of(3) is source.images[3]


def test_frames_of_one_file_share_an_image(tmp_path):
    multiframe_series(tmp_path / "ct")
    source = read_source(choose_stack(tmp_path / "ct"))
    assert (source.is_multiframe, len(source.images)) == (True, 1)
    assert source.image_of(3) is source.images[0]


def test_a_series_over_several_multiframe_files_is_refused(tmp_path):
    path = multiframe_series(tmp_path / "ct")
    second = pydicom.dcmread(path)
    second.SOPInstanceUID = second.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    for group in second.PerFrameFunctionalGroupsSequence:
        group.PlanePositionSequence[0].ImagePositionPatient[2] += 10
    write(second, tmp_path / "ct" / "two")
    with pytest.raises(InputError, match="spread over several multi-frame files"):
        read_source(choose_stack(tmp_path / "ct"))


def test_an_object_gets_patient_and_study_and_empty_elements_for_what_is_unknown(source):
    made = items(PatientName="someone else", Modality="SEG")
    claim(made, source)
    assert (made.PatientName, made.PatientID, made.StudyDate) == ("Secret^Name", "SECRETID", "19991231")
    assert all(keyword in made for keyword in REQUIRED)
    assert (made.PatientBirthDate, made.Modality, made.SpecificCharacterSet) == (None, "SEG", "ISO_IR 192")


def test_planes_are_counted_as_the_slices_are(source):
    grid = Grid(SHAPE, (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), tuple(map(tuple, np.eye(3).tolist())))
    assert planes_of(grid, source) == list(range(SHAPE[0]))
    more = Grid((2 * SHAPE[0] + 3, *SHAPE[1:]), (0.7, 0.9, 1.25), (-9.0, 4.0, 27.5), grid.direction)
    assert planes_of(more, source) == [2, 4, 6, 8]
    labels = np.zeros(more.shape_zyx, np.uint8)
    labels[4, 3, 2] = 7
    found = labels_on_slices(Volume(labels, more), source)
    assert np.argwhere(found).tolist() == [[1, 3, 2]]
    other_pixels = Grid(SHAPE, (0.71, 0.9, 2.5), (-9.0, 4.0, 30.0), grid.direction)
    with pytest.raises(InputError, match="must come from this scan"):
        planes_of(other_pixels, source)


def test_warnings_that_quote_values_are_kept_back(recwarn):
    with quiet():
        warnings.warn("Secret^Name is no valid name", stacklevel=1)
    assert not recwarn.list
