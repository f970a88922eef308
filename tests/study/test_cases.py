from pathlib import Path
from typing import Any

import pytest

from ctseg.errors import InputError
from ctseg.phantom.cases import phantom_case
from ctseg.study.cases import Case, find_cases
from ctseg.study.schema import find_problems, read_schema
from places import SCHEMAS
from real_data import FOLDER, real_data

NOTHING = {"table": None, "image": None, "label": None, "folder": None, "exclude": [], "phantom": {"patients": 1}}
NOTHING |= {"names": "keep", "key_file": "secrets/key"}


def find(root: Path, **config: Any) -> list[Case]:
    return find_cases({**NOTHING, **config}, root, SCHEMAS / "cases.schema.yaml", "made", {"nodule": 1})


def complaint(root: Path, **config: Any) -> str:
    with pytest.raises(InputError) as caught:
        find(root, **config)
    return str(caught.value)


def make_files(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write_table(root: Path, text: str, files: bool = True) -> dict[str, str]:
    """Write data/cases.tsv with tabs for the spaces, and the files a.nii, b.nii and seg.nii beside it."""
    (root / "data").mkdir(exist_ok=True)
    (root / "data/cases.tsv").write_text(text.replace(" ", "\t"), encoding="utf-8")
    if files:
        make_files(root / "data", "a.nii", "b.nii", "seg.nii")
    return {"source": "table", "table": "data/cases.tsv"}


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


# --- tables


def test_a_table_with_two_columns_is_enough(tmp_path):
    config = write_table(tmp_path, "case image\nb b.nii\na a.nii\n")
    assert find(tmp_path, **config) == [Case("a", "data/a.nii"), Case("b", "data/b.nii")]


def test_all_columns_are_read_and_others_are_not(tmp_path):
    text = (
        "# made by hand\nsite case image label series_uid patient split\n\n# comment\nX a a.nii seg.nii 1.2.3 P1 test\n"
    )
    config = write_table(tmp_path, text)
    assert find(tmp_path, **config) == [Case("a", "data/a.nii", "data/seg.nii", "1.2.3", "P1", "test")]


def test_a_table_from_excel_is_read(tmp_path):
    config = write_table(tmp_path, '\ufeffcase image label\r\n"a" "a.nii"  \r\n')
    assert find(tmp_path, **config) == [Case("a", "data/a.nii")]


def test_paths_start_at_the_tables_folder_and_absolute_ones_stay(tmp_path):
    make_files(tmp_path, "elsewhere/b.nii", "up.nii")
    config = write_table(tmp_path, f"case image\na ../up.nii\nb {tmp_path}/elsewhere/b.nii\n")
    assert [case.image for case in find(tmp_path, **config)] == ["up.nii", f"{tmp_path}/elsewhere/b.nii"]


def test_a_moved_folder_gives_the_same_cases(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        config = write_table(tmp_path / name, "case image label\na a.nii seg.nii\n")
    assert find(tmp_path / "one", **config) == find(tmp_path / "two", **config)


def test_a_patient_is_the_case_where_nobody_says_otherwise(tmp_path):
    config = write_table(tmp_path, "case image patient\na a.nii P\nb b.nii \n")
    assert [case.patient for case in find(tmp_path, **config)] == ["P", "b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the column case is missing"),
        ("case,image\na,a.nii\n", "columns are separated by tabs"),
        ("case image\n", "there is no case"),
        ("case image\na missing.nii\n", "line 2: the image data/missing.nii does not exist"),
        ("case image label\na a.nii missing.nii\n", "line 2: the label data/missing.nii does not exist"),
        ("case image\na a.nii\na b.nii\n", "line 3: is the same case as data/cases.tsv, line 2"),
        ("case image\na a.nii\nb a.nii\n", "line 3: is the same scan as data/cases.tsv, line 2"),
        ("case image\n../a a.nii\n", "line 2: case should be a name of letters"),
        ("case image\na \n", "line 2: image is missing"),
        ("case image\na a.nii more\n", "line 2: has 3 cells, but the header has 2"),
        ("case image image\na a.nii a.nii\n", "the column image stands there twice"),
        ("case image lable\na a.nii seg.nii\n", 'the column "lable" is not known; did you mean label?'),
        ("case image patient_id\na a.nii P\n", "did you mean patient?"),
        ("case image label split\na a.nii seg.nii tset\n", "line 2: split should be one of train, val, test, predict"),
        ("case image split\na a.nii train\n", "line 2: a case without a label cannot be in train"),
        (
            "case image label patient split\na a.nii seg.nii P train\nb b.nii seg.nii P test\n",
            "line 3: its patient is in test here, but in train at data/cases.tsv, line 2",
        ),
    ],
)
def test_a_wrong_table_is_told_in_words(tmp_path, text, words):
    assert words in complaint(tmp_path, **write_table(tmp_path, text))


def test_further_columns_are_read_where_they_are_groups(tmp_path):
    config = write_table(tmp_path, "case image site kernel\na a.nii Basel B30f\nb b.nii  B70f\n")
    found = find_cases({**NOTHING, **config}, tmp_path, SCHEMAS / "cases.schema.yaml", "made", {"nodule": 1}, ["site"])
    assert [case.groups for case in found] == [{"site": "Basel"}, {}]
    with pytest.raises(InputError, match="the column scanner is missing"):
        find_cases({**NOTHING, **config}, tmp_path, SCHEMAS / "cases.schema.yaml", "made", {"nodule": 1}, ["scanner"])


def test_two_series_of_one_folder_are_two_scans(tmp_path):
    config = write_table(tmp_path, "case image series_uid\na a.nii 1.2\nb a.nii 1.3\n")
    assert len(find(tmp_path, **config)) == 2


def test_a_patient_may_train_and_be_predicted(tmp_path):
    text = "case image label patient split\na a.nii seg.nii P train\nb b.nii seg.nii P predict\n"
    assert len(find(tmp_path, **write_table(tmp_path, text))) == 2


def test_all_problems_of_a_table_are_told_at_once(tmp_path):
    config = write_table(tmp_path, "case image split\na missing.nii \na a.nii test\nb! b.nii \n")
    lines = complaint(tmp_path, **config, exclude=["c"]).splitlines()
    assert lines[0] == "the cases have 5 problems:"
    assert len(lines) == 6


def test_many_problems_are_cut(tmp_path):
    rows = "".join(f"c{index} missing{index}.nii\n" for index in range(100))
    lines = complaint(tmp_path, **write_table(tmp_path, f"case image\n{rows}")).splitlines()
    assert lines[0] == "the cases have 100 problems:"
    assert lines[-1].strip() == "… and 70 more"


def test_an_excluded_case_may_be_broken(tmp_path):
    config = write_table(tmp_path, "case image\na a.nii\nb missing.nii\n")
    assert [case.case for case in find(tmp_path, **config, exclude=["b"])] == ["a"]


def test_no_identity_is_told(tmp_path):
    text = (
        "case image series_uid patient label split\nDoe^Jane a.nii 1.2.x P77 seg.nii train\nb b.nii  P77 seg.nii test\n"
    )
    message = complaint(tmp_path, **write_table(tmp_path, text))
    assert not [word for word in ("Doe", "Jane", "1.2.x", "P77") if word in message]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_table_that_cannot_be_read_is_told(tmp_path, content):
    if content:
        (tmp_path / "cases.tsv").write_bytes(content)
    assert "cases.tsv" in complaint(tmp_path, source="table", table="cases.tsv")


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
    assert columns | {"groups", "given_fold"} == set(Case.__dataclass_fields__)


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
