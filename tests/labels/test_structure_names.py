"""Comparison of structure names without case and spelling variants, and helpful messages."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctseg.errors import InputError
from ctseg.labels.structure_names import bad_pattern, find_structures, quoted

BLANKS = [" ", "  ", "\u00a0", "\t", "\u2003", " \u200b ", "\u3000"]
WORDS = ["GTV", "primär", "lésion", "Läsion", "肿瘤", "Å", "straße"]


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    st.sampled_from(BLANKS),
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
    st.sampled_from(["", " ", "\u00a0", "\ufeff"]),
    st.sampled_from([str, str.upper, str.lower, str.title]),
)
def test_a_name_is_found_however_it_is_written(words, blank, form, around, case):
    stored = around + unicodedata.normalize(form, case(blank.join(words))) + around
    wanted = " ".join(words)
    assert find_structures(["other", stored, f"{wanted} 2"], [wanted], "RS", "ROI") == [1]
    assert find_structures(["other", wanted], [stored], "RS", "ROI") == [1]
    if "straße" not in words:  # a regular expression does not know that SS stands for ß
        assert find_structures(["other", stored], [f"/{re.escape(wanted)}/"], "RS", "ROI") == [1]


def test_the_nearest_form_of_a_name_wins():
    names = ["gtv", "GTV", "GTV ", "ＧＴＶ"]
    assert find_structures(names, ["GTV"], "RS", "ROI") == [1]
    assert find_structures(names[:1], ["GTV"], "RS", "ROI") == [0]
    with pytest.raises(
        InputError, match=r'has 2 ROIs called "GTV\\u00a0"; .*: ./GTV/.\}, or name one of them: "GTV ", '
    ):
        find_structures(names[2:], ["GTV\u00a0"], "RS", "ROI", label="tumour")


@given(
    st.lists(st.sampled_from(["Lesion", "a+b", "(x)", "GTV [1]", "p/q", "a.b", "1^2", "\\d"]), min_size=1, max_size=4)
)
def test_the_advice_for_equal_names_unites_them(names):
    present = [*names, *names, "other"]
    with pytest.raises(InputError) as error:
        find_structures(present, [names[0]], "RS", "ROI", label="tumour")
    pattern = re.search(r"set target\.roi_names: \{tumour: '(/.*/)'\}", str(error.value))[1]
    assert bad_pattern(pattern) == ""
    assert find_structures(present, [pattern], "RS", "ROI") == [k for k, name in enumerate(present) if name == names[0]]


def test_what_does_not_show_is_made_visible():
    assert quoted("GTV  x") == '"GTV  x"'
    assert quoted("GTV\u00a0x\u200b") == '"GTV\\u00a0x\\u200b"'
    with pytest.raises(
        InputError, match=r'no ROI called "q"; set target.roi_names: \{name: …\} to one or more of: none'
    ):
        find_structures([], ["q"], "RS", "ROI")
