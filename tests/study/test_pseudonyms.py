import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctseg.errors import InputError
from ctseg.study.pseudonyms import looks_personal, pseudonym, read_key, safe_names, shown_names, write_lookup

KEY = b"0123456789abcdef"


@pytest.mark.parametrize(
    "name",
    ["STS_001", "spleen_2", "LIDC-IDRI-0001", "4dlung-113", "case7", "phantom-000", "nsclc-r01-001", "lung-12_b"],
)
def test_codes_of_studies_are_kept(name):
    assert not looks_personal(name)


@pytest.mark.parametrize(
    "name",
    [
        *["Doe_John", "DOE^JOHN", "mueller", "Anna Smith", "Mueller1970", "doe-1956-a"],
        *["12345678", "MRN0012345", "19700101", "20240131_CT", "7", "1.2.840.113619.2.55"],
    ],
)
def test_names_numbers_dates_and_uids_are_not(name):
    assert looks_personal(name)


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_pseudonym_is_a_safe_file_name_and_tells_names_apart(one, other):
    made = pseudonym(one, KEY)
    assert made.startswith("case-")
    assert made[5:].isalnum()
    assert made == pseudonym(one, KEY) != pseudonym(one, b"another key, as long")
    assert (made == pseudonym(other, KEY)) == (one == other)


def test_names_that_are_left_out_show_as_the_others_do(tmp_path):
    key = tmp_path / "key"
    names = safe_names(["Doe_John", "STS_001"], key, always=False)
    assert shown_names(["Doe_John"], [names["STS_001"]], key) == [names["Doe_John"]]
    assert shown_names([names["Doe_John"]], [names["STS_001"]], key) == [names["Doe_John"]]
    assert shown_names(["Doe_John", names["Doe_John"]], [names["STS_001"]], key) == [names["Doe_John"]]
    assert shown_names(["STS_002"], ["STS_001"], tmp_path / "none") == ["STS_002"]
    assert shown_names([], [names["STS_001"]], tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "a" / "key"
    key = read_key(path)
    assert read_key(path) == key
    assert len(key) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(tmp_path / "other") != key


def test_a_key_that_is_no_secret_is_refused(tmp_path):
    (tmp_path / "key").write_text("abc\n")
    with pytest.raises(InputError, match="too short to be a secret"):
        read_key(tmp_path / "key")
    with pytest.raises(InputError, match="cannot be used"):
        read_key(tmp_path)


def test_the_lookup_is_as_secret_as_the_key(tmp_path):
    path = tmp_path / "names.tsv"
    write_lookup([("case-b", "Doe"), ("case-a", "Roe")], path)
    assert path.read_text() == "case\tname\ncase-a\tRoe\ncase-b\tDoe\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = path.stat().st_mtime_ns
    write_lookup([("case-a", "Roe"), ("case-b", "Doe")], path)
    assert path.stat().st_mtime_ns == written


def test_the_lookup_keeps_the_names_of_other_studies_and_of_cases_that_are_gone(tmp_path):
    path = tmp_path / "names.tsv"
    write_lookup([("case-a", "Roe"), ("case-b", "Doe")], path)
    write_lookup([("case-c", "Poe")], path)
    assert path.read_text() == "case\tname\ncase-a\tRoe\ncase-b\tDoe\ncase-c\tPoe\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_personal_name_makes_all_of_them_pseudonyms(tmp_path):
    key = tmp_path / "key"
    assert safe_names(["a_1", "a_2"], key, always=False) == {"a_1": "a_1", "a_2": "a_2"}
    assert not key.exists()
    made = safe_names(["a_1", "Doe_John"], key, always=False)
    assert all(name.startswith("case-") for name in made.values())
    assert f"{made['Doe_John']}\tDoe_John\n" in (tmp_path / "pseudonyms.tsv").read_text()
    assert made["a_1"] == safe_names(["a_1"], key, always=True)["a_1"]
