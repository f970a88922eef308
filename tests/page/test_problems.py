"""Chinese errors and flags of the page: every message that a scan can cause has a translation."""

import ast

import pytest

from ctseg.evaluation.quality_flags import KINDS
from ctseg.scans.flag import Flag
from places import ROOT
from serving.page.chinese_errors import OTHERS, SENTENCES
from serving.page.problems import CHINESE, CHINESE_FLAGS, caution_in, error_in

LIBRARY = ROOT / "workflow_scripts" / "ctseg"
# Modules with error messages about scans that are given to the page.
PLACES = [
    ROOT / "serving" / "uploads.py",
    ROOT / "serving" / "volume_headers.py",
    ROOT / "serving" / "refused.py",
    ROOT / "serving" / "unpacking.py",
    ROOT / "serving" / "page" / "inputs.py",
    ROOT / "serving" / "page" / "models.py",
    ROOT / "serving" / "page" / "runs.py",
    *(LIBRARY / "scans").glob("*.py"),
    *(LIBRARY / "dicom" / f"{name}.py" for name in ("header", "multiframe", "read_ct", "series", "slice", "stack")),
    LIBRARY / "geometry" / "possible_sizes.py",
]
ERRORS = {"InputError", "ScanError", "ModelError", "Refused"}


def sentence(node):
    """Text of a string expression with "7" for each value; empty if the expression is no string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "7" for part in node.values)
    if isinstance(node, ast.BinOp):
        return sentence(node.left) + sentence(node.right)
    return ""


def sentences():
    for path in PLACES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS:
                yield "".join(map(sentence, node.args))


@pytest.mark.parametrize("text", sorted(set(sentences()) - {"", "7: 7"}))  # these pass on other messages
def test_every_sentence_about_a_scan_is_there_in_chinese(text):
    assert not error_in(text, CHINESE).startswith(OTHERS.partition("{")[0])


def test_an_unknown_sentence_is_announced_in_chinese_and_english_stays():
    assert error_in("nobody knows", CHINESE) == OTHERS.format(text="nobody knows")
    assert error_in("nobody knows", "English") == "nobody knows"


def test_values_stand_in_the_chinese_sentence():
    text = "the upload holds values from 0 to 255, which cannot be a CT in Hounsfield units"
    assert "0 到 255" in error_in(text, CHINESE)
    assert all("{0}" not in error or "(" in pattern for pattern, error in SENTENCES.items())


def test_every_kind_of_flag_is_there_in_chinese():
    assert set(KINDS) - set(CHINESE_FLAGS) == {"scan"}  # a flag of another version, shown in its own words
    assert set(CHINESE_FLAGS) <= set(KINDS)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        (Flag("uncertain_lesions", {"uncertain": 2, "found": 8, "label": "nodule", "numbers": [3, 5]}, "x"), "3、5"),
        (Flag("not_axial", {"view": "coronal"}, "x"), "冠状面"),
        (Flag("hu_offset", {"offset": 1024}, "x"), "+1024"),
        (Flag("lung_field_not_plausible", {"volume_cm3": 12.3, "mean_hu": -700.0}, "x"), "12 cm³"),
        (Flag("unlike_training_length_mm", {"value": 80.0, "low": 200.0, "high": 300.0}, "x"), "200.00 至 300.00"),
        (Flag("lung_field_not_plausible", {"volume_cm3": 0.0, "mean_hu": None, "reason": "no lung"}, "no lung"), "no"),
        (Flag("own_label", {}, "the own label cannot be shown: x"), "自己的标注"),
        (Flag("no_dicom", {}, "no DICOM object can refer to them; the other results are complete"), "没有 DICOM 结果"),
    ],
)
def test_a_flag_tells_its_values(flag, words):
    assert words in caution_in(flag, CHINESE)
    assert caution_in(flag, "English") == flag.text
