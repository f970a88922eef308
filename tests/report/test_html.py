import re

import numpy as np
import pandas as pd
import pytest

from ctseg.report.flow import Stage
from ctseg.report.gather import SECTIONS
from ctseg.report.html import decision_table, number, photograph, svg, table, write_report
from ctseg.report.study_plots import plot_training
from html_tables import Cells

NAN = float("nan")
TEXTS = ("subject", "lesion_text", "summary", "headline_split", "cohort_text", "pictures_text", "note", "configuration")
TABLES = ("cohort", "passed_over", "members", "case", "summary", "card", "parity", "postprocessing", "inference")
TABLES += ("variants", "plan", "cost", "software", "scans", "label", "lesion", "strata", "claim")


def cells(page):
    parser = Cells()
    parser.feed(str(page))
    return parser.rows


@pytest.fixture
def report(tmp_path):
    """Report with names that contain HTML."""
    history = pd.DataFrame(
        {
            "step": [1, 2],
            "loss": [1.0, 0.5],
            "validation_dice": [0.0, 0.6],
            "training_dice": [0.1, 0.7],
            "best": [True, True],
        }
    )
    plot_training({"0": history.assign(learning_rate=0.1)}, tmp_path / "training.svg")
    rows = pd.DataFrame({"case": ["<script>alert(1)</script>", "001"], "dice": [0.51239, NAN]})
    content = dict.fromkeys(TEXTS, "Dice 0.5 <ok>") | {f"{name}_table": table(rows) for name in TABLES}
    figure = svg(tmp_path / "training.svg")
    content |= {"study": "a & b", "sections": SECTIONS, "cohort_figure": figure, "training_figure": figure}
    content |= {"headline": {"<b>": [{"name": "Dice", "value": "0.5", "interval": ""}]}, "cautions": ["take <care>"]}
    content |= {
        "training_speeds": ["9 <fast>"],
        "passed_over": rows,
        "excluded": ["<x>"],
        "label_notes": ["<b> has no voxel"],
        "pictures": [],
        "lesion_pictures": [{"image": "", "caption": "<lesion>"}],
        "flow": [Stage("2 <scans>", ["1 <refused>"])],
        "previews": "",
        "result_figures": {},
    }
    write_report(tmp_path / "report.html", content | {"methods": ["we <did>"], "references": ["<they>"]})
    return (tmp_path / "report.html").read_text()


def test_the_report_needs_nothing_beside_it(report):
    assert "http://" not in report
    assert "https://" not in report
    assert set(re.findall(r'src="(.{18})', report)) == {"data:image/svg+xml"}
    assert "default-src 'none'" in report


def test_names_cannot_become_markup(report):
    body = report[report.index("<body>") :]
    assert "<script>alert" not in body
    for text in ("<b>", "<fast>", "<ok>", "<care>", "<x>", "<did>", "<they>", "<lesion>", "<scans>", "<refused>"):
        assert text not in body
        assert text.replace("<", "&lt;").replace(">", "&gt;") in body
    assert "a &amp; b" in body


def test_every_section_is_there_and_linked(report):
    for name in SECTIONS:
        assert f'<section id="{name}">' in report
        assert f'href="#{name}"' in report


def test_numbers_and_names_read_well():
    rows = pd.DataFrame({"case": ["001", "b"], "n": [3, 12345], "dice": [0.512391, NAN], "hu": [-1024.5, 0.00001]})
    head, first, second = cells(table(rows))
    assert head == ["case", "n", "dice", "hu"]
    assert first == ["001", "3", "0.5124", "-1024"]
    assert second == ["b", "12345", "–", "1e-05"]
    assert number(np.float64(NAN)) == "–"
    assert number(True) == "yes"


def test_a_case_links_to_its_picture():
    page = table(pd.DataFrame({"case": ["a", "b"]}), {"a": "#case-a"}, sortable=True)
    assert '<a href="#case-a">a</a>' in page
    assert page.count("<a ") == 1
    assert "class=sortable" in page


def test_decisions_become_a_table_of_reasons():
    found = cells(decision_table({"batch_size": {"value": 2, "reason": "given in the config"}}))
    assert found == [["setting", "value", "reason"], ["batch_size", "2", "given in the config"]]


def test_a_picture_becomes_smaller_and_keeps_its_words(tmp_path):
    import matplotlib.pyplot as plt

    plt.imsave(tmp_path / "a.png", np.random.default_rng(0).random((200, 200)))
    found = photograph(tmp_path / "a.png", 'case "1"')
    assert 'alt="case &quot;1&quot;"' in found
    assert "data:image/webp;base64," in found
    assert len(found) < (tmp_path / "a.png").stat().st_size
