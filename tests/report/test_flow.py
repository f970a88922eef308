import pandas as pd

from ctseg.report.flow import flow

PARAMS = {
    "cases": list("abcdefgh"),
    "excluded": ["x", "y"],
    "reported": list("abcdefg"),
    "labelled": list("abcdef"),
    "segmented": list("efg"),
}
COHORT = pd.DataFrame(
    {"case": list("abdefg"), "split": ["train", "train", "train", "test", "test", "predict"]}
)  # without c, because its scan is rejected
REFUSED = pd.DataFrame(
    [("c", "convert_image"), ("d", "convert_label"), ("f", "convert_label")], columns=["case", "refused_by"]
)


def told(stages):
    return [(stage.left, stage.out) for stage in stages]


def test_each_scan_is_told_of_where_it_is_left_out():
    assert told(flow(PARAMS, REFUSED, COHORT, 1)) == [
        ("10 scans found", ["2 excluded in the config"]),
        ("8 scans in the study", ["1 in no split that is used"]),
        ("7 scans to convert", ["1 refused: scan unusable"]),
        ("6 scans usable", ["2 refused: label unusable", "1 without a label"]),
        ("2 for training, 1 for testing, 2 for prediction alone", []),
        ("1 scan measured", []),
    ]


def test_a_study_without_loss_is_told_in_few_words():
    params = {name: ["e"] for name in ("cases", "reported", "labelled", "segmented")} | {"excluded": []}
    stages = told(flow(params, REFUSED.iloc[:0], COHORT[COHORT["case"] == "e"], None))
    assert stages == [("1 scan found", []), ("1 scan usable", []), ("1 for testing", [])]
