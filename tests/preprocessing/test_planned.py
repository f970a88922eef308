"""Preparation of scans from the decisions of the plan."""

from ctseg.decisions import Decision, stored
from ctseg.preprocessing.planned import preparation_of
from ctseg.preprocessing.preparation import Preparation


def test_lists_of_a_file_become_the_tuples_of_settings():
    made = {"spacing_mm": [1.5, 1.5, 2.0], "window_hu": [-1000.0, 400.0], "region": "lungs", "patch_size": [8, 8, 8]}
    decisions = stored({name: Decision(value, "") for name, value in made.items()})
    assert preparation_of(decisions, 12.0) == Preparation((1.5, 1.5, 2.0), (-1000.0, 400.0), "lungs", 12.0)
