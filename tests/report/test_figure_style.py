"""Figures are written completely, and equal figures have equal bytes."""

import matplotlib.pyplot as plt
import pytest

from ctseg.colours import SERIES
from ctseg.report.figure_style import MARKERS, save_figure, say_nothing_to_show


def figure(text="nothing"):
    made, axis = plt.subplots()
    axis.plot([1, 2], label="a")
    axis.legend()
    say_nothing_to_show(axis, text)
    return made


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_same_figure_has_the_same_bytes(tmp_path, suffix):
    for name in "ab":
        save_figure(figure(), tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    save_figure(figure("something"), tmp_path / f"c.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() != (tmp_path / f"c.{suffix}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.{suffix}" for name in "abc"]


def test_a_figure_that_was_written_is_closed(tmp_path):
    made = figure()
    save_figure(made, tmp_path / "a.svg")
    assert made.number not in plt.get_fignums()


def test_series_differ_by_marker_as_well_as_by_colour():
    assert len(set(MARKERS)) == len(MARKERS) == len(SERIES)
