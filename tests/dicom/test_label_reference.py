"""References in labels: they select the series of a folder, and labels of other scans are rejected."""

import pydicom
import pytest

from contours import ring
from ctseg.dicom.label_reference import read_reference, require_relation
from ctseg.dicom.series import choose_stack
from ctseg.errors import InputError
from ctseg.geometry.volume import Grid
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.scans.read_scan import read_scan
from dicom_files import body, items, name_images, write, write_rtstruct, write_seg, write_series

GRID = Grid((10, 8, 9), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
SQUARE = [ring(depth, 2.4, (4, 4)) for depth in (3, 4, 5)]


def add(folder, uid, frame, n_slices=10, distance_mm=2.0, **elements):
    """Write a series into the folder; the series with most slices is the best scan."""
    grid = Grid((n_slices, 8, 9), (1.0, 1.0, distance_mm), GRID.origin_xyz_mm, GRID.direction)
    hu = body(grid.shape_zyx, seed=n_slices)
    elements = {"PatientID": "P1", "FrameOfReferenceUID": frame} | elements
    return write_series(folder / uid, hu, grid, SeriesInstanceUID=uid, **elements)


def rtstruct(path, frames=(), series=(), slices=(), patient="P1", roi_frames=()):
    """Write an RTSTRUCT with references and an ROI "GTV 0", "GTV 1", … for each of `roi_frames` (at least one)."""
    rois = {f"GTV {number}": SQUARE for number in range(max(1, len(roi_frames)))}
    dataset = pydicom.dcmread(name_images(write_rtstruct(path, rois), patient, frames, series, slices))
    for roi, frame in zip(dataset.StructureSetROISequence, roi_frames, strict=False):
        roi.ReferencedFrameOfReferenceUID = frame
    return write(dataset, path)


@pytest.fixture
def folder(tmp_path):
    """Folder with three series; 1.3 has most slices and is the best scan, 1.1 and 1.2 share a frame of reference."""
    add(tmp_path / "ct", "1.1", "9.1", 10)
    add(tmp_path / "ct", "1.2", "9.1", 19, 1.0)
    add(tmp_path / "ct", "1.3", "9.3", 37, 0.5)
    return tmp_path


def chosen(folder, label, **options):
    choice = choose_stack(folder / "ct", reference=read_reference(label), **options)
    return choice.stack.series_uid, choice.named


def test_the_series_comes_before_the_frame_of_reference_and_the_best_scan(folder):
    for names, expected in (
        ({"frames": ["9.1"], "series": ["1.1"]}, ("1.1", "series")),
        ({"frames": ["9.1"], "series": ["7.7"]}, ("1.2", "frame of reference")),
        ({"frames": ["9.1"]}, ("1.2", "frame of reference")),
        ({"frames": ["9.9"], "series": ["1.2", "7.7"]}, ("1.2", "series")),
        ({"frames": ["9.9"], "series": ["7.7"], "patient": ""}, ("1.3", "")),
        ({"patient": ""}, ("1.3", "")),
    ):
        assert chosen(folder, rtstruct(folder / "RS.dcm", **names)) == expected
    uid = str(pydicom.dcmread(next((folder / "ct/1.1").iterdir())).SOPInstanceUID)
    assert chosen(folder, rtstruct(folder / "RS.dcm", ["9.1"], slices=[uid])) == ("1.1", "series")
    label = rtstruct(folder / "RS.dcm", ["9.1"], ["1.1"])
    assert chosen(folder, label, series_uid="1.2") == ("1.2", "")  # the series of the case table has priority
    assert chosen(folder, folder / "nothing.dcm") == ("1.3", "")


def test_a_seg_and_the_xml_of_lidc_name_their_series(folder):
    path = write_seg(folder / "seg.dcm", {"a": body(GRID.shape_zyx) > 0}, GRID)
    dataset = pydicom.dcmread(path)
    dataset.FrameOfReferenceUID = "9.1"
    assert chosen(folder, write(dataset, path)) == ("1.2", "frame of reference")
    dataset.ReferencedSeriesSequence = [items(SeriesInstanceUID="1.1")]
    assert chosen(folder, write(dataset, path)) == ("1.1", "series")
    xml = folder / "lidc.xml"
    xml.write_text("<LidcReadMessage><ResponseHeader><SeriesInstanceUid>1.2</SeriesInstanceUid></ResponseHeader>")
    assert chosen(folder, xml) == ("1.2", "series")


def test_the_patient_of_the_label_is_taken_where_a_folder_has_several(tmp_path):
    add(tmp_path / "ct", "1.1", "9.1")
    add(tmp_path / "ct", "1.2", "9.2", 20, PatientID="P2")
    assert chosen(tmp_path, rtstruct(tmp_path / "RS.dcm")) == ("1.1", "patient")
    with pytest.raises(InputError, match="CT series of 2 patients"):
        choose_stack(tmp_path / "ct")


def relation_of(folder, label, **options):
    return read_scan(folder / "ct", label=label, **options).facts["label_reference"]


def test_what_a_label_does_not_share_with_its_scan_is_refused_or_told(folder):
    def outcome(label, allowed=False, **options):
        reference = read_reference(label)
        return require_relation(relation_of(folder, label, **options), reference.digest, allowed, "RS", "image")

    path = folder / "RS.dcm"
    assert outcome(rtstruct(path, ["9.1"], ["1.1"])) == []
    assert outcome(rtstruct(path)) == []
    assert outcome(rtstruct(path, ["9.1"], ["7.7"])) == []  # another series of the same frame of reference
    told = "the label names another series than its scan, and no frame of reference that both share"
    assert outcome(rtstruct(path, [], ["7.7"])) == outcome(rtstruct(path, [], [], ["7.7.7"])) == [told]
    for names, what, count in (
        ({"frames": ["9.9"]}, "another frame of reference", 1),
        ({"frames": ["9.1"], "patient": "P2"}, "another patient", 1),
        ({"frames": ["9.9"], "patient": "P2"}, "another patient .* and another frame of reference", 2),
    ):
        label = rtstruct(path, **names)
        with pytest.raises(InputError, match=f"RS was drawn for {what} .* set convert.foreign_label: allow"):
            outcome(label)
        assert len(outcome(label, allowed=True)) == count
    with pytest.raises(InputError, match="another frame of reference"):
        outcome(rtstruct(path, ["9.1"], ["1.1"]), series_uid="1.3")


def test_no_identifier_stands_in_the_facts(folder):
    label = rtstruct(folder / "RS.dcm", ["9.1"], ["1.1"], patient="P1")
    relation = relation_of(folder, label)
    assert relation["series"] == relation["frame_of_reference"] == relation["patient"] == "same"
    assert not any(uid in str(relation) for uid in ("9.1", "1.1", "P1"))
    assert relation == relation_of(folder, label)


def test_a_label_that_names_another_series_than_before_is_not_put_on_the_old_scan(folder):
    path = rtstruct(folder / "RS.dcm", ["9.1"], ["1.1"])
    scan = read_scan(folder / "ct", label=path)
    settings = LabelSettings({"GTV": 1}, {"GTV": ("GTV 0",)})

    def read():
        relation = scan.facts["label_reference"]
        return read_label(path, settings, scan.volume.grid, "results/s/images/a.nii.gz", relation=relation)

    voxels = read().voxels_zyx.sum()
    rtstruct(path, ["9.1"], ["1.1"], roi_frames=["9.1", "9.1"])  # one ROI more, on the same scan
    assert read().voxels_zyx.sum() == voxels
    rtstruct(path, ["9.3"], ["1.3"])
    with pytest.raises(InputError, match=r"was changed and .* --forcerun results/s/images/a\.nii\.gz"):
        read()


def test_a_label_that_was_damaged_when_the_scan_was_read_is_not_trusted_later(folder):
    path = rtstruct(folder / "RS.dcm", ["9.1"], ["1.1"])
    whole = path.read_bytes()
    path.write_bytes(whole[:400])
    scan = read_scan(folder / "ct", label=path)
    path.write_bytes(whole)
    settings = LabelSettings({"GTV": 1}, {"GTV": ("GTV 0",)})
    with pytest.raises(InputError, match="convert the scan again"):
        read_label(path, settings, scan.volume.grid, "image", relation=scan.facts["label_reference"])


def test_rois_of_another_frame_of_reference_in_the_same_file_are_refused(folder):
    path = rtstruct(folder / "RS.dcm", ["9.1", "9.7"], ["1.1"], roi_frames=["9.1", "9.7"])
    scan = read_scan(folder / "ct", label=path)
    relation = scan.facts["label_reference"]

    def read(name, foreign_ok=False):
        settings = LabelSettings({"GTV": 1}, {"GTV": (name,)}, foreign_ok=foreign_ok)
        return read_label(path, settings, scan.volume.grid, "image", relation=relation).voxels_zyx.any()

    assert read("GTV 0")
    with pytest.raises(InputError, match=r"GTV in .* was drawn in another frame of reference than image"):
        read("GTV 1")
    assert read("GTV 1", foreign_ok=True)
