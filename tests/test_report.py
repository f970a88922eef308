import re

import pandas as pd
import pytest

from ctseg.plots import plot_training
from ctseg.report import plan_table, write_report


@pytest.fixture
def report(tmp_path):
    """A report with a name that is no harmless text."""
    history = pd.DataFrame({"step": [1, 2], "loss": [1.0, 0.5], "validation_dice": [0.0, 0.6], "best": [True, True]})
    plot_training({"0": history}, tmp_path / "training.png")
    cases = pd.DataFrame({"case": ["<script>alert(1)</script>", "001"], "dice": [0.51239, float("nan")]})
    path = tmp_path / "report.html"
    write_report(path, "a & b", "Dice 0.5 <ok>", {"Cases": cases}, {"Training": [str(tmp_path / "training.png")]})
    return path.read_text()


def test_the_report_needs_nothing_beside_it(report):
    assert "http://" not in report
    assert "https://" not in report
    sources = re.findall(r'src="(.{22})', report)
    assert sources == ["data:image/png;base64,"]


def test_names_cannot_become_markup(report):
    assert "<script>" not in report
    assert "a &amp; b" in report
    assert "Dice 0.5 &lt;ok&gt;" in report


def test_numbers_and_names_read_well(report):
    assert "0.5124" in report
    assert ">001<" in report
    assert "NaN" not in report


def test_the_plan_becomes_a_table_of_reasons():
    table = plan_table({"batch_size": {"value": 2, "reason": "given in the config"}})
    assert table.to_dict("records") == [{"setting": "batch_size", "value": "2", "reason": "given in the config"}]
