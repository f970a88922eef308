"""Cases from DICOM files in any folder structure."""

import numpy as np
import pydicom
import pytest

from ctseg.geometry.volume import Grid
from ctseg.study.dicom_tree import cases_of
from dicom_files import body, items, name_images, write, write_rtstruct, write_seg, write_series

GRID = Grid((4, 7, 8), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
SQUARE = [np.array([[1.0, 1.0, 2.0], [4.0, 1.0, 2.0], [4.0, 4.0, 2.0], [1.0, 4.0, 2.0]])]


def scan(folder, patient, uid, frame="9.1", slices=4, **elements):
    """Write a series directly into `folder`, with its UID in the file names."""
    grid = Grid((slices, 7, 8), GRID.spacing_xyz_mm, GRID.origin_xyz_mm, GRID.direction)
    elements = {"PatientID": patient, "SeriesInstanceUID": uid, "FrameOfReferenceUID": frame} | elements
    made = folder / f"new-{uid}"
    write_series(made, body(grid.shape_zyx), grid, **elements)
    for path in sorted(made.iterdir()):
        path.rename(folder / f"{uid}-{path.name}.dcm")
    made.rmdir()


def outlines(path, patient, frame="9.1", series=()):
    return name_images(write_rtstruct(path, {"GTV": SQUARE}), patient, [frame], series)


def cases(root):
    return cases_of(root, sorted(path for path in root.rglob("*") if path.is_file()))


def test_folders_with_numbers_of_their_own_are_told_apart_by_headers(tmp_path):
    for number, patient in enumerate(("LUNG-7", "LUNG-9")):
        study = tmp_path / patient / f"01-0{number}-2008-NA-CT-{4711 * (number + 1)}"
        scan(study / f"{number}.000-CT-{99 + number}", patient, f"1.{number}")
        outlines(study / f"{number + 4}.000-RTst-{number}" / "1-1.dcm", patient, series=[f"1.{number}"])
    found = cases(tmp_path)
    assert [row["case"] for row in found.rows] == ["LUNG-7", "LUNG-9"]
    assert [row["image"][-12:] for row in found.rows] == ["/0.000-CT-99", "1.000-CT-100"]
    assert all(row["label"].endswith("/1-1.dcm") and "series_uid" not in row for row in found.rows)
    assert found.reasons == []


def test_one_folder_with_the_files_of_all_patients(tmp_path):
    for patient in ("Smith", "Jones"):
        scan(tmp_path, patient, f"1.{len(patient)}{patient.count('s')}")
        outlines(tmp_path / f"RS-{patient}.dcm", patient)
    found = cases(tmp_path)
    assert [row["case"] for row in found.rows] == ["p1", "p2"]  # patient IDs do not become case names
    assert {row["image"] for row in found.rows} == {str(tmp_path)}
    assert {row["series_uid"]: row["label"][-12:] for row in found.rows} == {
        "1.50": "RS-Smith.dcm",
        "1.51": "RS-Jones.dcm",
    }


def test_a_patient_with_several_positions_has_several_cases(tmp_path):
    for visit, frame, slices in (("first", "9.1", 4), ("second", "9.2", 4), ("thin", "9.2", 8)):
        scan(tmp_path / "A1" / visit, "A", f"1.{slices}.{frame}", frame, slices)
    scan(tmp_path / "B1" / "only", "B", "2.1", "9.3")
    outlines(tmp_path / "A1" / "rs.dcm", "A", "9.1")
    found = cases(tmp_path)
    assert [(row["case"], row.get("patient")) for row in found.rows] == [("A1_1", "A1"), ("A1_2", "A1"), ("B1", None)]
    assert [row["image"].rpartition("/")[2] for row in found.rows] == ["first", "thin", "only"]
    assert ["label" in row for row in found.rows] == [True, False, False]
    assert found.reasons == ["not used: 1 CT series of a position with a longer or labelled one"]


def test_a_numbered_case_is_not_called_like_another_patient(tmp_path):
    scan(tmp_path / "A1" / "first", "ID1", "1.1", frame="9.1")
    scan(tmp_path / "A1" / "second", "ID1", "1.2", frame="9.2")
    scan(tmp_path / "A1_1" / "first", "ID2", "1.3", frame="9.3")
    assert sorted(row["case"] for row in cases(tmp_path).rows) == ["A1_1", "A1_2", "A1_3"]


def test_a_labelled_series_comes_before_a_longer_one(tmp_path):
    scan(tmp_path / "a", "A", "1.1", slices=4)
    scan(tmp_path / "b", "A", "1.2", slices=9)
    outlines(tmp_path / "rs.dcm", "A", series=["1.1"])
    (row,) = cases(tmp_path).rows
    assert (row["image"], row["label"]) == (str(tmp_path / "a"), str(tmp_path / "rs.dcm"))


def test_contours_come_before_a_seg_of_the_same_series(tmp_path):
    scan(tmp_path / "ct", "A", "1.1")
    outlines(tmp_path / "rs.dcm", "A", series=["1.1"])
    path = write_seg(tmp_path / "seg.dcm", {"GTV": body(GRID.shape_zyx) > 0}, GRID)
    dataset = pydicom.dcmread(path)
    dataset.PatientID, dataset.FrameOfReferenceUID = "A", "9.1"
    dataset.ReferencedSeriesSequence = [items(SeriesInstanceUID="1.1")]
    write(dataset, path)
    found = cases(tmp_path)
    assert [row["label"] for row in found.rows] == [str(tmp_path / "rs.dcm")]
    assert found.reasons == ["not used: 1 more label file of a series: the last RTSTRUCT is taken"]


@pytest.mark.parametrize(("patient", "frame"), [("B", "9.1"), ("A", "7.7")])
def test_a_label_of_no_series_here_is_told(tmp_path, patient, frame):
    scan(tmp_path / "ct", "A", "1.1")
    outlines(tmp_path / "rs.dcm", patient, frame)
    found = cases(tmp_path)
    assert [sorted(row) for row in found.rows] == [["case", "image"]]
    assert found.reasons == ["not used: 1 label file of no series here"]


def test_a_label_that_names_nothing_belongs_to_the_series_beside_it(tmp_path):
    for patient in ("A", "B"):
        scan(tmp_path / patient / "ct", patient, f"1.{ord(patient)}")
        write_rtstruct(tmp_path / patient / "rs.dcm", {"GTV": SQUARE})
    write_rtstruct(tmp_path / "any.dcm", {"GTV": SQUARE})
    found = cases(tmp_path)
    assert [row["label"] for row in found.rows] == [str(tmp_path / patient / "rs.dcm") for patient in ("A", "B")]
    assert found.reasons == ["not used: 1 label file of no series here"]


def test_what_is_no_volume_is_no_case(tmp_path):
    scan(tmp_path / "one", "A", "1.1", slices=1)
    scan(tmp_path / "scout", "A", "1.2", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    scan(tmp_path / "mr", "A", "1.3", Modality="MR")
    (tmp_path / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x99" * 9)
    (tmp_path / "notes.txt").write_text("nothing")
    found = cases(tmp_path)
    assert found.rows == []
    assert found.reasons == ["not used: 1 damaged file"]


def test_folders_are_patients_where_all_files_name_the_same_one(tmp_path):
    for number in (1, 2):
        scan(tmp_path / f"lung {number}" / "ct", "ANON", f"1.{number}", f"9.{number}")
        outlines(tmp_path / f"lung {number}" / "rs.dcm", "ANON", f"9.{number}")
    found = cases(tmp_path)
    assert [row["case"] for row in found.rows] == ["lung_1", "lung_2"]
    assert all("patient" not in row for row in found.rows)
    assert found.reasons == [f"patients: all files name one, so each folder in {tmp_path} is taken for a patient"]


def test_names_of_folders_become_names_that_a_case_may_have(tmp_path):
    for patient, name in (("A", "lung 1 (x)"), ("B", "lung-2")):
        scan(tmp_path / name / "ct", patient, f"1.{ord(patient)}")
    assert sorted(row["case"] for row in cases(tmp_path).rows) == ["lung-2", "lung_1__x_"]


@pytest.mark.parametrize("name", ["Doe^John_19560203", "Doe John", "00451234", "Jane-1956"])
def test_folders_that_may_name_a_person_name_no_case(tmp_path, name):
    """All results show the names of cases, and those in a case table are not replaced by pseudonyms."""
    for patient, folder in (("A", name), ("B", "lung_2")):
        scan(tmp_path / folder / "ct", patient, f"1.{ord(patient)}")
    assert sorted(row["case"] for row in cases(tmp_path).rows) == ["p1", "p2"]
