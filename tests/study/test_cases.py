import os
from pathlib import Path

import pytest

from case_tables import complaint, find, make_files
from ctseg.phantom.cases import phantom_case
from ctseg.study.cases import Case
from ctseg.study.schema import find_problems, read_schema
from ctseg.study.splits import assign_splits
from places import SCHEMAS
from real_data import FOLDER, real_data

# --- phantoms


def test_phantoms_need_not_exist(tmp_path):
    cases = find(tmp_path, source="phantom", phantom={"patients": 3})
    assert [case.case for case in cases] == [phantom_case(index) for index in range(3)]
    assert cases[0] == Case(
        "phantom-000", "made/phantom-000/dicom", "made/phantom-000/rtstruct.dcm", patient="phantom-000"
    )
    assert len({case.label for case in cases}) == 3


def test_phantoms_can_be_excluded(tmp_path):
    cases = find(tmp_path, source="phantom", phantom={"patients": 3}, exclude=["phantom-001"])
    assert [case.case for case in cases] == ["phantom-000", "phantom-002"]


# --- folders


def folder(root: Path, image: str, label: str | None = None) -> list[tuple]:
    cases = find(root, source="folder", image=image, label=label)
    return [(case.case, case.image, case.label) for case in cases]


def test_files_are_found_with_their_labels(tmp_path):
    make_files(
        tmp_path, "images/a.nii.gz", "images/b.nii.gz", "images/._a.nii.gz", "images/note.txt", "labels/a.nii.gz"
    )
    assert folder(tmp_path, "images/{case}.nii.gz", "labels/{case}.nii.gz") == [
        ("a", "images/a.nii.gz", "labels/a.nii.gz"),
        ("b", "images/b.nii.gz", None),
    ]


def test_series_folders_are_found_with_their_patients(tmp_path):
    make_files(tmp_path, "P1/first/ct/1.dcm", "P1/second/ct/1.dcm", "P2/third/ct/1.dcm", "P2/third/mr/1.dcm", "readme")
    cases = find(tmp_path, source="folder", image="{patient}/{case}/ct")
    assert [(case.patient, case.case) for case in cases] == [("P1", "first"), ("P1", "second"), ("P2", "third")]


def test_a_field_that_stands_twice_is_the_same(tmp_path):
    make_files(tmp_path, "a/a_ct.nii", "a/b_ct.nii", "b/b_ct.nii", "a+a.nii", "a+b.nii")
    assert [row[0] for row in folder(tmp_path, "{case}/{case}_ct.nii")] == ["a", "b"]
    assert [row[1] for row in folder(tmp_path, "{case}+{case}.nii")] == ["a+a.nii"]


def test_a_star_stands_for_a_part_of_a_name(tmp_path):
    make_files(tmp_path, "x1/a.1.nii", "x1/deep/c.nii", "x2/b.2.nii", "y/c.3.nii")
    assert [row[0] for row in folder(tmp_path, "x*/{case}.*.nii")] == ["a", "b"]


def test_what_is_the_label_of_a_case_is_no_case(tmp_path):
    make_files(tmp_path, "a.nii.gz", "a_label.nii.gz", "b.nii.gz")
    assert [row[0] for row in folder(tmp_path, "{case}.nii.gz", "{case}_label.nii.gz")] == ["a", "b"]


def test_signs_of_other_pattern_languages_are_plain(tmp_path):
    make_files(tmp_path, "[x].(1)/a.nii", "x.1/b.nii")
    assert [row[0] for row in folder(tmp_path, "[x].(1)/{case}.nii")] == ["a"]


def test_an_absolute_pattern_gives_absolute_paths(tmp_path):
    make_files(tmp_path, "data/a.nii")
    assert folder(tmp_path / "data", f"{tmp_path}/data/{{case}}.nii") == [("a", f"{tmp_path}/data/a.nii", None)]


@pytest.mark.parametrize(
    ("image", "label", "words"),
    [
        ("nowhere/{case}.nii", None, "cases.image: nothing matches"),
        ("{case}.nii", "labels/{case}.nii", "cases.label: no case has a file"),
        ("{case}.nii", "{case}*.txt", "cases.label matches several files, a1.txt and a2.txt"),
        ("{patient}/{case}/ct", None, "P2/same/ct: is the same case as P1/same/ct"),
        ("bad/{case}.nii", None, "bad/a b.nii: case should be a name of letters"),
    ],
)
def test_what_a_pattern_cannot_tell_is_told(tmp_path, image, label, words):
    make_files(tmp_path, "a.nii", "a1.txt", "a2.txt", "P1/same/ct/1", "P2/same/ct/1", "bad/a b.nii")
    assert words in complaint(tmp_path, source="folder", image=image, label=label)


# --- the schema, and real scans


def test_the_schema_knows_the_columns_of_a_case():
    columns = {*read_schema(SCHEMAS / "cases.schema.yaml")["properties"]}
    assert columns | {"groups", "given_fold", "correction", "drawn_by"} == set(Case.__dataclass_fields__)


def test_names_that_are_safe_as_file_names_pass():
    schema = read_schema(SCHEMAS / "cases.schema.yaml")
    for name in ("a", "LIDC-IDRI-0001", "1.2.840", "STS_001"):
        assert not find_problems({"case": name, "image": "x"}, schema)
    for name in ("", ".", "..", "-a", "a/b", "a b", "ä", "a\n", "x" * 101):
        assert find_problems({"case": name, "image": "x"}, schema)


@pytest.mark.realdata
def test_real_folders_are_found():
    real_data("sarcoma-dicom")
    cases = find(
        FOLDER,
        source="folder",
        image="sarcoma-dicom/{case}/CT/image",
        label="sarcoma-dicom/{case}/CT/mask/RS.dcm",
    )
    assert len(cases) == 16
    assert all(case.label for case in cases)
    assert cases[0].case.startswith("STS_")


def test_names_of_people_become_pseudonyms(tmp_path):
    make_files(tmp_path, "Doe_John/ct.nii", "case_2/ct.nii")
    pattern = {"source": "folder", "image": "{case}/ct.nii", "names": "auto"}
    found = {case.image: case.case for case in find(tmp_path, **pattern)}
    assert all(name.startswith("case-") for name in found.values())
    assert "Doe_John" in (tmp_path / "secrets" / "pseudonyms.tsv").read_text()
    [left] = find(tmp_path, **pattern, exclude=["Doe_John"])
    assert left.case == found["case_2/ct.nii"]
    [left] = find(tmp_path, **pattern, exclude=[found["case_2/ct.nii"]])
    assert left.case == found["Doe_John/ct.nii"]
    assert {case.case for case in find(tmp_path, **(pattern | {"names": "keep"}))} == {"Doe_John", "case_2"}


def test_a_name_that_is_no_text_is_refused(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xb8\xce"))
    make_files(folder, "lung_1.nii")
    make_files(tmp_path, "b/lung_2.nii")
    text = complaint(tmp_path, source="folder", image="*/{case}.nii", names="auto")
    assert r"\udcb8\udcce/lung_1.nii': the name is not UTF-8 text" in text


def test_pseudonyms_and_their_key_move_no_case_to_another_split(tmp_path):
    make_files(tmp_path, *(f"lung_{number:03}/{name}.nii" for number in range(30) for name in ("ct", "label")))
    pattern = {"source": "folder", "image": "{case}/ct.nii", "label": "{case}/label.nii", "names": "auto"}

    def places(**more):
        cases = find(tmp_path, **pattern | more)
        split = {"by_seed": 1, "test_fraction": 0.3, "folds": 1, "validation_fraction": 0.2}
        placed = assign_splits(cases, split)
        return {case.image: placed[case.case] for case in cases}

    before = places()
    make_files(tmp_path, "Doe_John/ct.nii")  # without a label, so that no patient is added
    with_pseudonyms = places()
    assert before.items() <= with_pseudonyms.items()
    assert places(key_file="other/key") == with_pseudonyms
    assert places(names="keep") == with_pseudonyms


def test_codes_of_a_study_and_of_a_table_are_kept_unless_asked(tmp_path):
    make_files(tmp_path / "data", "a_1.nii")
    (tmp_path / "data" / "cases.tsv").write_text("case\timage\nmine\ta_1.nii\n")
    folder = {"source": "folder", "image": "data/{case}.nii"}
    table = {"source": "table", "table": "data/cases.tsv"}
    assert [case.case for case in find(tmp_path, **folder, names="auto")] == ["a_1"]
    assert [case.case for case in find(tmp_path, **table, names="auto")] == ["mine"]
    assert not (tmp_path / "secrets").exists()
    for config in (folder, table):
        [case] = find(tmp_path, **config, names="pseudonym")
        assert case.case.startswith("case-")
