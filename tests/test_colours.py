"""Distinct colours for figures and DICOM objects."""

import re

from ctseg.colours import CLASSES, SERIES, class_colour


def test_colours_differ_and_are_written_as_six_digits():
    for colours in (SERIES, CLASSES):
        assert len(set(colours)) == len(colours)
        assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in colours)
    assert set(SERIES) == set(CLASSES)


def test_classes_are_counted_from_one_and_colours_come_again():
    assert [class_colour(number) for number in range(1, 7)] == list(CLASSES)
    assert class_colour(7) == class_colour(1)
