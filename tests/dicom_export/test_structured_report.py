"""DICOM structured report, read back with highdicom: the numbers of the table, and outlines of the same pixels."""

import highdicom as hd
import numpy as np
import pydicom
import pytest

from ctseg.dicom.read_ct import read_dicom
from ctseg.masks.components import label_components, measure_components
from ctseg.masks.polygon_fill import fill_even_odd
from dicom_results import NAMES, STACKS, expected_on_slice, headers, nothing, straight, written


@pytest.fixture(params=["head first", "oblique", "multi-frame"])
def results(request, dicom_results):
    """Results for a series that is read without interpolation."""
    return dicom_results(request.param)


def groups_of(folder):
    report = hd.sr.srread(folder / "report.dcm")
    return {group.tracking_identifier: group for group in report.content.get_volumetric_roi_measurement_groups()}


def values_of(group):
    return {item.name.meaning: (item.value, item.unit.value) for item in group.get_measurements()}


def rows_of(folder, labels):
    """Rows of the component table, by their names in the report."""
    scan, _ = read_dicom(folder, irregular="resample")
    rows = measure_components(labels, scan)
    return {f"{NAMES[row['label'] - 1]} {row['component']}": row for row in rows}


def image_of(region):
    """SOP instance UID and frame number of the image of an outline."""
    source = region.ContentSequence[0].ReferencedSOPSequence[0]
    return source.ReferencedSOPInstanceUID, source.get("ReferencedFrameNumber")


def filled(group, frame_shapes_yx):
    """Mask [y, x] of the pixels inside the outlines of a group, by image and frame."""
    masks = {}
    for region in group.roi:
        outline_yx = region.value[:-1, ::-1] - 0.5
        mask = fill_even_odd([outline_yx], frame_shapes_yx)
        masks[image_of(region)] = masks.get(image_of(region), False) | mask
    return masks


def test_every_component_has_the_numbers_of_the_table(results):
    labels = results.labels
    groups, rows = groups_of(results.folder), rows_of(results.series, labels)
    assert len(rows) > 3
    assert set(groups) == set(rows) | set(NAMES)
    for name, row in rows.items():
        assert values_of(groups[name]) == {
            "Volume": (pytest.approx(row["volume_cm3"]), "cm3"),
            "Diameter": (pytest.approx(row["longest_diameter_mm"]), "mm"),
            "Attenuation Coefficient": (pytest.approx(row["mean_hu"]), "[hnsf'U]"),
        }


def test_a_class_as_a_whole_refers_to_its_segment(results):
    labels = results.labels
    seg, groups = pydicom.dcmread(results.folder / "seg.dcm"), groups_of(results.folder)
    for number, name in enumerate(NAMES, start=1):
        reference = groups[name].referenced_segment[0].ReferencedSOPSequence[0]
        assert (reference.ReferencedSOPInstanceUID, reference.ReferencedSegmentNumber) == (seg.SOPInstanceUID, number)
        assert groups[name].tracking_uid == seg.SegmentSequence[number - 1].TrackingUID
        volume_cm3 = (labels.voxels_zyx == number).sum() * labels.grid.voxel_volume_mm3 / 1000
        assert values_of(groups[name])["Volume"] == (pytest.approx(volume_cm3), "cm3")


def test_outlines_enclose_the_component_on_each_slice(results):
    labels = results.labels
    if len(headers(results.series)) == 1:
        pytest.skip("frames of one file are compared in the RTSTRUCT's test")
    groups, rows = groups_of(results.folder), rows_of(results.series, labels)
    for name, row in rows.items():
        numbers = label_components(labels.voxels_zyx == row["label"])
        (voxel,) = np.rint(labels.grid.indices_zyx(np.array([row["voxel_xyz_mm"]]))).astype(int)
        component = labels.with_voxels(numbers == numbers[tuple(voxel)])
        found = filled(groups[name], labels.grid.shape_zyx[1:])
        for header in headers(results.series):
            mask = found.get((header.SOPInstanceUID, None), np.zeros(labels.grid.shape_zyx[1:], bool))
            np.testing.assert_array_equal(mask, expected_on_slice(header, component))


@pytest.mark.parametrize("kind", STACKS)
def test_outlines_of_a_resampled_scan_refer_to_its_slices(kind, dicom_results):
    resampled = dicom_results(kind)
    images = {header.SOPInstanceUID for header in headers(resampled.series)}
    regions = [region for group in groups_of(resampled.folder).values() for region in group.roi or []]
    assert regions
    assert {image_of(region)[0] for region in regions} <= images


def test_nothing_found_is_said(tmp_path):
    written(straight(tmp_path / "ct", np.eye(3)), tmp_path / "out", draw=nothing)
    groups = groups_of(tmp_path / "out")
    assert {name: values_of(group)["Volume"][0] for name, group in groups.items()} == dict.fromkeys(NAMES, 0)
