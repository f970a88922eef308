"""Counts and lists in sentences."""

import pytest

from ctseg.plurals import counted, listed


@pytest.mark.parametrize(("count", "words"), [(0, "0 scans"), (1, "1 scan"), (2, "2 scans")])
def test_one_alone_has_no_plural(count, words):
    assert counted(count, "scan") == words


@pytest.mark.parametrize(("things", "words"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), ("abc", "a, b and c")])
def test_the_last_of_several_follows_an_and(things, words):
    assert listed(things) == words
