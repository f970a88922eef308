"""Warnings about labels appear on the terminal, in the log, in the sidecar of the label, and in the tables."""

import json

import numpy as np
import pandas as pd
import pytest

from ctseg.report.cohort import cohort_table, label_notes, label_table
from ctseg.scans.nifti import read_nifti
from real_data import report
from studies import snakemake

pytestmark = pytest.mark.timeout(400)
STUDY = {
    "study": "s",
    "cases": {"source": "table", "table": "cases.tsv"},
    "target": {"labels": {"BODY": 1, "GTV": 2}, "region": "body"},
    "convert": {"missing_label": "allow"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    report("case13_beyond_scan").make(folder / "beyond")
    report("case03_overlap").make(folder / "overlap")
    report("case01_other_series").make(folder / "series")
    rows = [
        "case\timage\tlabel\tsplit",
        "below\tbeyond/CT\tbeyond/below.dcm\ttrain",
        "none\toverlap/CT\toverlap/empty/RS.dcm\tval",
        "series\tseries/two_series/CT\tseries/two_series/RS.dcm\ttest",
        "foreign\tseries/other_frame/CT\tseries/other_frame/seg.dcm\tpredict",
    ]
    (folder / "cases.tsv").write_text("\n".join(rows) + "\n")
    return folder


def test_what_is_unusual_about_labels_is_told_everywhere(folder):
    run = snakemake(folder, STUDY, "--", "results/s/labels/foreign.nii.gz")
    assert run.returncode != 0
    assert "ctseg: convert_label foreign: series/other_frame/seg.dcm was drawn for another frame of ref" in run.stdout
    log = (folder / "results/s/logs/convert_label/foreign.log").read_text()
    assert "<label> was drawn for another frame of reference" in log

    rows = (folder / "cases.tsv").read_text().replace("series/other_frame/seg.dcm", "")  # label of another scan
    (folder / "cases.tsv").write_text(rows)
    run = snakemake(folder, STUDY, "--", "results/s/cohort.tsv")
    assert run.returncode == 0, run.stdout
    results = folder / "results/s"
    beyond = "BODY: 1 of 41 contours reaches beyond the scan, by up to 1 mm; the part beyond was cut"
    lost = "GTV takes 245 of the 12240 voxels of BODY: the later of two labels wins"
    log = (results / "logs/convert_label/below.log").read_text()
    facts = json.loads((results / "labels/below.json").read_text())
    cohort = pd.read_csv(results / "cohort.tsv", sep="\t").set_index("case")
    for number, text in enumerate((beyond, lost)):
        assert f"ctseg: convert_label below: {text}" in run.stdout
        assert f"WARNING {text}" in log
        assert facts["warnings"][number].startswith(text)
        assert f"label: {text}" in cohort.loc["below", "warnings"]
    table = pd.read_csv(results / "labels.tsv", sep="\t").set_index(["case", "label"])
    assert table.loc[("below", "BODY"), ["voxels", "drawn", "lost", "lost_to"]].tolist() == [
        11995,
        12240,
        245,
        "GTV: 245",
    ]
    assert table.loc[("none", "GTV"), "voxels"] == 0
    assert table.loc[("series", "GTV"), "volume_cm3"] == 0.52
    notes = (results / "labels.txt").read_text().splitlines()
    assert "BODY loses voxels to other labels in 1 of 3 labels" in notes
    assert "GTV has no voxel in 1 of 3 labels" in notes
    assert all(f"ctseg: tabulate_cohort: {note}" in run.stdout for note in notes)
    assert read_nifti(results / "images/series.nii.gz").voxels_zyx.shape == (40, 48, 48)


FACTS = {"size_xyz": [5, 6, 7], "spacing_xyz_mm": [1, 1, 2], "warnings": ["tilted"]}


def facts_of(unused=(), **voxels):
    labels = {
        name: {"voxels": count, "volume_cm3": count / 1000, "drawn": count, "lost_to": {}}
        for name, count in voxels.items()
    }
    return {"labels": labels, "unused_values": dict.fromkeys(map(str, unused), 9), "warnings": []}


def test_values_of_no_label_are_one_line_over_a_study():
    labels = {"a": facts_of((2, 10), x=5), "b": facts_of((10,), x=6), "c": facts_of(x=7)}
    assert label_notes(labels) == ["2 of 3 labels hold values without a label (2 in 1, 10 in 2)"]
    assert label_notes({"c": labels["c"]}) == label_notes({}) == []
    many = label_notes({"a": facts_of(range(2, 40), x=1)})
    assert many[0].endswith("(2 in 1, 3 in 1, 4 in 1, 5 in 1, 6 in 1, 7 in 1, 8 in 1, 9 in 1, 10 in 1, 11 in 1, …)")


def test_the_warnings_of_a_label_stand_beside_those_of_its_scan():
    places = {case: {"split": "train", "fold": None, "patient": 0} for case in "ab"}
    table = cohort_table({"a": FACTS, "b": FACTS}, places, {"a": facts_of(x=1) | {"warnings": ["off"]}})
    assert table["warnings"].tolist() == ["tilted; label: off", "tilted"]
    assert list(label_table({}).columns) == list(label_table({"a": facts_of(x=1)}).columns)
    assert np.isnan(label_table({"a": facts_of(x=1)})["lost_to"].astype(float)).all()
