"""LIDC-IDRI in each of its published layouts."""

from pathlib import Path

import pytest

from archive_trees import CT_UID, X_RAY_UID, make_files, make_lidc, xml_header
from ctseg.errors import InputError
from ctseg.study.cases import Case, find_cases
from places import ROOT
from real_data import FOLDER, real_data

SCHEMA_PATH = ROOT / "rules/schemas/cases.schema.yaml"


def find(root: Path, source: str, folder: str = "data") -> list[Case]:
    config = {"source": source, "folder": folder, "exclude": [], "corrections": None, "names": "auto"}
    return find_cases(config, root, SCHEMA_PATH, "made", {"nodule": 1})


def complaint(root: Path, source: str) -> str:
    with pytest.raises(InputError) as caught:
        find(root, source)
    return str(caught.value)


def test_the_xml_beside_the_slices_tells_the_series(tmp_path):
    make_lidc(tmp_path / "data")
    make_files(tmp_path / "data", "LIDC-IDRI-0006/1.1/one/1.dcm", "LIDC-IDRI-0007/1.1/one/1.dcm")
    make_files(tmp_path / "data", "LIDC-IDRI-0007/1.2/two/1.dcm", "LICENSE", ".hidden/LIDC-IDRI-0008/a/b/c.xml")
    cases = {case.case: case for case in find(tmp_path, "lidc")}
    assert list(cases) == [f"LIDC-IDRI-{number:04d}" for number in range(1, 8)]
    for number in (1, 2):
        series = f"data/LIDC-IDRI-{number:04d}/1.1/{CT_UID}{number}"
        assert (cases[f"LIDC-IDRI-{number:04d}"].image, cases[f"LIDC-IDRI-{number:04d}"].label) == (
            series,
            f"{series}/069.xml",
        )
    without = [cases["LIDC-IDRI-0006"], cases["LIDC-IDRI-0007"]]
    assert [case.image for case in without] == ["data/LIDC-IDRI-0006/1.1/one", "data/LIDC-IDRI-0007"]
    assert {(case.label, case.split) for case in without} == {(None, "predict")}


def test_two_scans_of_a_patient_stay_together(tmp_path):
    make_files(tmp_path / "data", "LIDC-IDRI-0132/1/a/1.xml", "LIDC-IDRI-0132/2/b/2.xml", text=xml_header("1.2"))
    cases = find(tmp_path, "lidc")
    assert [case.case for case in cases] == ["LIDC-IDRI-0132-1", "LIDC-IDRI-0132-2"]
    assert {case.patient for case in cases} == {"LIDC-IDRI-0132"}


def test_xml_files_of_their_own_are_found_by_the_series(tmp_path):
    folder = tmp_path / "data"
    make_files(folder, *(f"LIDC-IDRI-000{number}/1/{CT_UID}{number}/1.dcm" for number in (1, 2)))
    make_files(folder, f"LIDC-IDRI-0002/1/{X_RAY_UID}/1.dcm")
    make_files(folder, "LIDC-XML-only/tcia-lidc-xml/157/158.xml", text=xml_header(f"{CT_UID}2"))
    make_files(folder, "LIDC-XML-only/tcia-lidc-xml/187/9.xml", text=xml_header(X_RAY_UID, "IdriReadMessage"))
    first, second = find(tmp_path, "lidc")
    assert (first.label, first.split) == (None, "predict")
    assert second.image == f"data/LIDC-IDRI-0002/1/{CT_UID}2"
    assert second.label == "data/LIDC-XML-only/tcia-lidc-xml/157/158.xml"


def test_an_xml_named_like_its_patient_is_found(tmp_path):
    make_files(tmp_path / "data", "LIDC-IDRI-0001/01-01-2000-30178/3000566.000000-03192/1.dcm")
    make_files(tmp_path / "data", "LIDC-IDRI-0001.xml", text=xml_header("1.2"))
    [case] = find(tmp_path, "lidc")
    assert case.image == "data/LIDC-IDRI-0001/01-01-2000-30178/3000566.000000-03192"
    assert (case.label, case.split) == ("data/LIDC-IDRI-0001.xml", None)


def test_xml_files_that_belong_to_no_series_are_told(tmp_path):
    make_files(tmp_path / "data", "LIDC-IDRI-0001/01-01-2000-30178/3000566.000000-03192/1.dcm")
    make_files(tmp_path / "data", "tcia-lidc-xml/157/158.xml", text=xml_header(CT_UID))
    assert "name the folders of the series by their UID" in complaint(tmp_path, "lidc")


def test_only_headers_of_files_that_tell_are_opened(tmp_path, monkeypatch):
    make_lidc(tmp_path / "data")
    opened: list[str] = []
    monkeypatch.setattr("ctseg.study.lidc_archive._head", lambda root, path: opened.append(path) or b"")
    find(tmp_path, "lidc")
    assert sorted(Path(path).name for path in opened) == ["068.xml", "069.xml"]


@pytest.mark.realdata
def test_the_real_layout_of_lidc_is_found():
    real_data("lidc-dicom")
    first, *others = find(FOLDER, "lidc", folder="lidc-dicom")
    assert first.case == "LIDC-IDRI-0001"
    assert first.label == "lidc-dicom/LIDC-IDRI-0001.xml"
    assert len(Path(first.image).parts) == 4
    assert [(case.case, case.split) for case in others] == [
        ("LIDC-IDRI-0002", "predict"),
        ("LIDC-IDRI-0003", "predict"),
    ]
