"""No identifying data of a patient gets from DICOM files into a result, a log or the report.

This also applies to rejected and excluded cases.

All standard elements that can contain a text, a date or a UID and that ctseg does not need get a mark; these are more
elements than in the basic confidentiality profile (PS3.15 table E.1-1). Private elements, folder names and file names
also get a mark. Then a whole study runs on these files, and all bytes that it has written are searched.
"""

import re
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.tag import Tag

from ctseg.dicom.header import TAGS
from ctseg.geometry.volume import Grid
from ctseg.phantom.dicom import write_rtstruct, write_series
from ctseg.phantom.patient import PhantomSettings, make_phantom
from dicom_files import body
from dicom_files import write_series as write_hu_series
from identities import MARK, MARK_DATE, MARK_UID, found_in
from studies import TINY, merged, snakemake

pytestmark = pytest.mark.timeout(400)

VALUES = {
    "PN": f"{MARK}^Hans",
    "DA": MARK_DATE,
    "DT": f"{MARK_DATE}101112",
    "AS": "099Y",
    "UI": f"{MARK_UID}.1",
    "UR": f"http://{MARK}/",
    **dict.fromkeys(["AE", "CS", "LO", "SH"], MARK.upper()),
    **dict.fromkeys(["LT", "ST", "UC", "UT"], f"text of {MARK}"),
}
# Needed by parsers: encoding of the file, kind of the object, and references in an RTSTRUCT.
NEEDED = {"SOPClassUID", "SpecificCharacterSet", "Modality", "PhotometricInterpretation", "ReferencedSOPClassUID"}


def identifying_tags() -> list[int]:
    """Tags of all standard elements that may contain a text, date or UID and that ctseg does not read."""
    found = []
    for number, (vr, *_, keyword) in DicomDictionary.items():
        group = number >> 16
        text = vr in VALUES and group not in (0x0000, 0x0002, 0x0004) and group < 0x5000
        if text and keyword and keyword not in TAGS and keyword not in NEEDED:
            found.append(number)
    return found


def identity() -> pydicom.Dataset:
    """Data set with marks in all identifying elements."""
    planted = pydicom.Dataset()
    for number in identifying_tags():
        planted.add_new(number, DicomDictionary[number][0], VALUES[DicomDictionary[number][0]])
    return planted


def plant(path: Path, planted: pydicom.Dataset) -> None:
    """Add identifying elements, private elements and marks in preamble and series UID to a DICOM file."""
    dataset = pydicom.dcmread(path)
    dataset.update(planted)
    dataset.preamble = f"{MARK}".encode().ljust(128, b"\0")
    block = dataset.private_block(0x0099, f"{MARK} CREATOR", create=True)
    block.add_new(0x01, "LO", MARK)
    block.add_new(0x02, "PN", f"{MARK}^Hans")
    if "SeriesInstanceUID" in dataset:
        dataset.SeriesInstanceUID = f"{MARK_UID}.2"
    dataset.save_as(path)


def write_patient(folder: Path, index: int) -> None:
    """Write a phantom patient into files and folders named after a person."""
    spacing, distance, nodules = (tuple(TINY["cases"]["phantom"][key]) for key in list(TINY["cases"]["phantom"])[1:])
    phantom = make_phantom(PhantomSettings(1, spacing, distance, nodules), index)
    write_series(phantom, index, folder / "dicom", with_localizer=True, feet_first=False)
    write_rtstruct(phantom, folder / "dicom", folder / "rtstruct.dcm")
    planted = identity()
    for number, path in enumerate(sorted((folder / "dicom").iterdir())):
        plant(path, planted)
        path.rename(path.with_name(f"{MARK}_{MARK_UID}.{number}"))
    plant(folder / "rtstruct.dcm", planted)


IN_THE_PROFILE = [
    *["PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAddress", "OtherPatientIDs", "StudyID"],
    *["AccessionNumber", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstitutionName", "StationName"],
    *["InstitutionAddress", "ReferringPhysicianName", "OperatorsName", "PerformingPhysicianName", "ProtocolName"],
    *["StudyDescription", "SeriesDescription", "ImageComments", "PatientComments", "DeviceSerialNumber", "Occupation"],
    *["RequestingPhysician", "MilitaryRank", "EthnicGroup", "StudyInstanceUID", "SOPInstanceUID", "ReviewerName"],
    *["FrameOfReferenceUID", "StructureSetLabel", "StructureSetName", "StructureSetDate"],
]


def test_the_basic_profile_is_covered():
    planted = {keyword_for_tag(Tag(number)) for number in identifying_tags()}
    assert set(IN_THE_PROFILE) <= planted
    assert len(planted) > 1000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_mark_leaves_the_files_of_a_study(tmp_path):
    for index, letter in enumerate("ABCDE"):
        write_patient(tmp_path / "data" / f"{MARK}_{letter}", index)
    assert found_in(tmp_path / "data")
    broken = sorted((tmp_path / "data" / f"{MARK}_D" / "dicom").iterdir())[2]
    broken.write_bytes(broken.read_bytes()[:-300])
    (tmp_path / "pseudonyms.key").write_text("with this key the broken case is no only one of its split\n")
    study = merged(TINY, {"cases": {"source": "folder"}})
    study["cases"] |= {"image": "data/{case}/dicom", "label": "data/{case}/rtstruct.dcm"}
    study["cases"] |= {"exclude": [f"{MARK}_E"], "on_refusal": "go_on"}
    run = snakemake(tmp_path, study)
    assert run.returncode == 0, run.stdout
    results = tmp_path / "results" / "tiny"
    assert len(list((results / "images").glob("case-*.nii.gz"))) == 4
    assert "<scan>/<file>" in (results / "refused.tsv").read_text()
    page = (results / "report.html").read_text()
    assert "Refused cases" in page
    assert re.search(r"Excluded in the config: case-[a-z2-7]{12}\.", page)
    assert found_in(results) == []
    lookup = (tmp_path / "pseudonyms.tsv").read_text()
    assert sorted(re.findall(f"{MARK}_.", lookup)) == [f"{MARK}_{letter}" for letter in "ABCDE"]


def test_no_mark_stands_in_the_log_of_a_broken_case(tmp_path):
    grid = Grid((4, 5, 6), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    for letter in "ABC":
        folder = tmp_path / "data" / f"{MARK}_{letter}"
        write_hu_series(folder / "dicom", body(grid.shape_zyx), grid)
        broken = folder / "dicom" / f"{MARK_UID}.4"
        sorted((folder / "dicom").iterdir())[1].rename(broken)
        broken.write_bytes(broken.read_bytes()[:-20])
        (folder / "label.nii").touch()
    study = merged(TINY, {"cases": {"source": "folder"}})
    study["cases"] |= {"image": "data/{case}/dicom", "label": "data/{case}/label.nii"}
    run = snakemake(tmp_path, study)
    assert run.returncode != 0
    assert broken.name in run.stdout  # the user who starts the workflow must know the file
    logs = [log.read_text() for log in (tmp_path / "results" / "tiny" / "logs" / "convert_image").iterdir()]
    assert all("<scan>/<uid> is cut" in text for text in logs)
    assert found_in(tmp_path / "results") == []
