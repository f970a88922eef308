"""DICOM SEG, read back by ctseg and by highdicom: each voxel keeps its position."""

import highdicom as hd
import numpy as np
import pydicom

from dicom_files import REFERABLE
from dicom_results import (
    NAMES,
    expected_on_slice,
    headers,
    read_back,
    straight,
    written,
)


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


def one_plane(shape_zyx, _):
    labels = np.zeros(shape_zyx, np.uint8)
    labels[3] = 1
    return labels


def test_frames_without_a_class_are_left_out(tmp_path):
    written(straight(tmp_path / "ct", np.eye(3)), tmp_path / "out", draw=one_plane)
    seg = pydicom.dcmread(tmp_path / "out" / "seg.dcm")
    assert seg.NumberOfFrames == 1
    assert len(seg.SegmentSequence) == len(NAMES)
