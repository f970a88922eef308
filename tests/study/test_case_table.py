import pytest

from case_tables import NOTHING, complaint, find, make_files, write_table
from ctseg.errors import InputError
from ctseg.study.cases import Case, find_cases
from places import SCHEMAS


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
