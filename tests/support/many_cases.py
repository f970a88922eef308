"""Study with a case of each kind, without files."""

import yaml

from ctseg.study.cases import Case
from ctseg.study.splits import Assignment
from ctseg.study.study import Study
from places import ROOT
from studies import merged

DEFAULTS = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
CASES = [
    Case("a", "a/dicom", "a/seg.dcm", patient="one"),
    Case("b", "b.nii", "b_label.nii", patient="one", lungs="b_lungs.nii", groups={"site": "X"}),
    Case("c", "c/dicom", "c.csv", series_uid="1.2.3", patient="two", groups={"site": "Y"}),
    Case("d", "d/dicom", patient="three"),
    Case("e", "results/many/phantom/e/dicom", "results/many/phantom/e/label.nii.gz"),
]
PLACES = {
    "a": Assignment("train", 0),
    "b": Assignment("train", 1),
    "c": Assignment("test"),
    "d": Assignment("predict"),
    "e": Assignment("val"),
}


def study(**changes):
    config = merged(merged(DEFAULTS, {"study": "many", "split": {"folds": 2}}), changes)
    return Study(config, {case.case: case for case in CASES}, PLACES)
