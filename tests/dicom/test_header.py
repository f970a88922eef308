"""Headers: detection of DICOM files, the elements that are read, and no element that names a person."""

import os
from pathlib import Path

import numpy as np
import pytest

from ctseg.dicom.header import TAGS, empty_files, list_headers, read_header, stand_in
from ctseg.errors import InputError
from dicom_files import ct_slice, write
from small_series import add, grid_of, header_of


def test_the_patient_is_told_apart_without_being_read(tmp_path):
    add(tmp_path, "1.1", PatientID="Zyx-1")
    (header, *_) = list_headers(tmp_path)
    assert header.patient
    assert "Zyx" not in f"{header} {header.dataset}"
    assert "PatientID" not in header.dataset


def test_nothing_that_names_a_patient_is_read():
    about_patients = {tag for tag in TAGS if "Patient" in tag}
    assert about_patients == {"ImageOrientationPatient", "ImagePositionPatient", "PatientPosition"}
    words = ("Date", "Time", "Institution", "Physician", "Comment", "Description", "Operator", "Station")
    assert {tag for tag in TAGS if any(word in tag for word in words)} == {"TriggerTime"}  # ms after the heart beat


def test_equal_numbers_have_one_stand_in():
    assert stand_in("Zyx-1") == stand_in(b"Zyx-1 ") == stand_in("Zyx-1\0")
    assert stand_in("Zyx-1") != stand_in("Zyx-2")
    assert stand_in(None) == stand_in("") == stand_in(b" \0") == ""
    assert "Zyx" not in stand_in("Zyx-1")


def test_the_elements_of_a_header():
    header = header_of(grid_of(1), ConvolutionKernel=["Br38f", "3"], KVP="", BodyPartExamined=" CHEST ")
    assert (header.text("BodyPartExamined"), header.texts("ConvolutionKernel")) == ("CHEST", ["Br38f", "3"])
    assert (header.value("KVP"), header.text("KVP"), header.texts("KVP")) == (None, "", [])
    assert header.texts("Modality") == ["CT"]


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        ({}, ""),
        ({"Modality": "MR"}, "not CT"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "Localizer"]}, "a localizer"),
        ({"SamplesPerPixel": 3}, "a picture in colour"),
        ({"NumberOfFrames": 2}, "multi-frame without positions"),
        ({"NumberOfFrames": 1}, ""),
    ],
)
def test_why_an_image_is_no_slice(elements, why):
    assert header_of(grid_of(1), **elements).not_a_slice == why


def test_a_file_is_told_by_its_content(tmp_path):
    (tmp_path / "notes.txt").write_text("not DICOM" * 50)
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "wrong.dcm").write_text("not DICOM" * 50)
    whole = write(ct_slice(np.zeros((5, 6), np.int16), grid_of(1), 0), tmp_path / "whole")
    (tmp_path / "bare").write_bytes(whole.read_bytes()[132:])
    assert read_header(tmp_path / "notes.txt") is read_header(tmp_path / "empty.dcm") is None
    assert read_header(whole).text("Modality") == read_header(tmp_path / "bare").text("Modality") == "CT"
    with pytest.raises(InputError, match=r"wrong\.dcm is damaged: its name says DICOM"):
        read_header(tmp_path / "wrong.dcm")
    with pytest.raises(InputError, match="missing does not exist"):
        read_header(tmp_path / "missing")


def test_the_pixels_begin_where_the_header_ends(tmp_path):
    path = write(ct_slice(np.full((5, 6), 77, np.int16), grid_of(1), 0), tmp_path / "a.dcm")
    header = read_header(path)
    element = path.read_bytes()[header.pixels_at :]
    assert element[:4] == b"\xe0\x7f\x10\x00"
    assert np.frombuffer(element[12:], "<i2").tolist() == [77] * 30
    assert "PixelData" not in header.dataset


def test_headers_come_in_the_order_of_paths_without_hidden_files_and_directories(tmp_path):
    for name in ("b/2", "b/.hidden", "a/10", "a/DICOMDIR", ".trash/1", "b/.cache/deep/2"):
        write(ct_slice(np.zeros((5, 6), np.int16), grid_of(1), 0), tmp_path / name)
    assert [str(header.path.relative_to(tmp_path)) for header in list_headers(tmp_path)] == ["a/10", "b/2"]
    with pytest.raises(InputError, match="is not a folder"):
        list_headers(tmp_path / "a/10")


def test_slices_of_a_folder_that_cannot_be_listed_are_not_lost(tmp_path, monkeypatch):
    for name in ("a/1", "locked/2"):
        write(ct_slice(np.zeros((5, 6), np.int16), grid_of(1), 0), tmp_path / name)
    listing = os.scandir

    def refused(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(InputError, match="locked cannot be read: Permission denied"):
        list_headers(tmp_path)


def test_empty_files_that_may_be_slices(tmp_path):
    for name in ("1.dcm", "IM0001", "1.2.840.99", "notes.txt", ".hidden.dcm", "below/2.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "full.dcm").write_text("x")
    assert [path.name for path in empty_files([tmp_path])] == ["1.2.840.99", "1.dcm", "IM0001"]
