"""The report omits rejected cases from all of its lists."""

import pytest

from ctseg.jobs.refusals import Refusal, write_refusal
from ctseg.report.report_files import OF_SEGMENTED, Files, without_refused

CASES = ["a", "b", "c"]


@pytest.fixture
def study(tmp_path):
    """Files and params of a study with three cases, two of them with a label."""
    source = {name: [str(tmp_path / f"{name}-{case}") for case in CASES] for name in OF_SEGMENTED}
    source["labels"] = [str(tmp_path / f"label-{case}") for case in "ab"]
    for path in [path for paths in source.values() for path in paths]:
        (tmp_path / path).write_text("content")
    return source | {"card": "card.json"}, {"segmented": CASES, "measured": ["a", "b"]}


def test_nothing_is_left_out_where_nothing_was_refused(study):
    files, params = without_refused(*study)
    assert (files, params) == study


def test_a_refused_segmentation_takes_its_case_out_everywhere(study):
    source, step = study
    write_refusal(Refusal("a", "infer", "x"), [source["segmentations"][0]])
    files, params = without_refused(source, step)
    assert params == {"segmented": ["b", "c"], "measured": ["b"]}
    assert files.segmentations == source["segmentations"][1:]
    assert files.images == source["images"][1:]
    assert files.labels == source["labels"][1:]
    assert files.card == "card.json"
    assert step["segmented"] == CASES  # the argument is not changed


def test_a_refused_label_takes_its_case_out_of_the_measured_ones_alone(study):
    source, step = study
    write_refusal(Refusal("b", "convert_label", "x"), [source["labels"][1]])
    files, params = without_refused(source, step)
    assert params == {"segmented": CASES, "measured": ["a"]}
    assert files.labels == source["labels"][:1]
    assert files.images == source["images"]


def test_a_study_without_labels_or_lungs(study):
    source, step = study
    for name in ("labels", "lungs_facts"):
        del source[name]
    files, params = without_refused(source, step)
    assert params["segmented"] == CASES
    assert "labels" not in files


def test_names_are_attributes():
    files = Files(card="card.json")
    assert files.card == files["card"] == "card.json"
    with pytest.raises(AttributeError, match="cases"):
        _ = files.cases
