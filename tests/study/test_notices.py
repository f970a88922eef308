"""Messages about the cases before a run."""

import pytest

from ctseg.study.cases import Case
from ctseg.study.notices import gpu_notice, notices
from ctseg.study.pseudonyms import pseudonym

MISSING = "1 of 3 cases without a label, to be segmented only: c"


def cases(*labels, **more):
    return [Case(name, f"{name}.nii", label, **more) for name, label in zip("abc", labels, strict=True)]


def test_a_case_that_turns_out_to_have_no_label_is_named():
    assert list(notices(cases("a", "b", None), "key", training=True)) == [MISSING]


def test_nothing_is_said_where_labels_are_not_expected():
    assert not list(notices(cases("a", "b", "c"), "key", training=True))
    assert not list(notices(cases("a", "b", None), "key", training=False))
    assert not list(notices(cases("a", "b", None, split="predict"), "key", training=True))


def test_many_names_are_cut_short():
    many = [Case(f"case_{number}", "image.nii") for number in range(99)] + [Case("last", "image.nii", "label.nii")]
    (line,) = notices(many, "key", training=True)
    assert line.startswith("99 of 100 cases without a label")
    assert line.endswith("case_9, …")


def test_pseudonyms_are_announced_with_the_table_that_explains_them():
    (line,) = notices([Case(pseudonym("Zyx", b"0" * 16), "a.nii", "b.nii")], "safe/my.key", training=True)
    assert "safe/pseudonyms.tsv tells who is who" in line
    assert "cases.names: keep" in line


@pytest.mark.parametrize(("wanted", "allowed"), [(1, 1), (4, 4), (4, 0), (4, None), (1, 4)])
def test_nothing_is_said_of_gpus_that_training_gets_or_should_not_use(wanted, allowed):
    assert gpu_notice(wanted, allowed) == ""


def test_a_limit_that_leaves_gpus_unused_is_told():
    assert "train.gpus is 4, but the limit of this run is 1; add --resources gpu=4" in gpu_notice(4, 1)
