"""Numbers on the command line."""

from argparse import ArgumentTypeError

import pytest

from command import ctseg
from ctseg.command.arguments import finite_number, number, whole_number


def test_numbers_within_their_bounds_are_read():
    assert whole_number(1, 8)("8") == 8
    assert number(0.25, 8)("0.25") == 0.25
    assert [finite_number(text) for text in ("-1024", "1e-3")] == [-1024, 0.001]


@pytest.mark.parametrize("text", ["0", "9", "-1", "1.5", "many", "", "nan"])
def test_a_number_of_things_that_cannot_be_meant_is_told(text):
    with pytest.raises(ArgumentTypeError, match=f"^{text} should be a whole number from 1 to 8$"):
        whole_number(1, 8)(text)


@pytest.mark.parametrize("text", ["0", "-1", "9", "nan", "inf", "much"])
def test_a_size_that_cannot_be_meant_is_told(text):
    with pytest.raises(ArgumentTypeError, match=f"^{text} should be a number from 0.25 to 8$"):
        number(0.25, 8)(text)


@pytest.mark.parametrize("text", ["nan", "-inf", "x"])
def test_what_is_no_number_is_told(text):
    with pytest.raises(ArgumentTypeError, match="should be a number"):
        finite_number(text)


def test_every_number_of_a_command_is_checked_before_anything_is_done():
    for option, texts in (
        ("--threads", ["-1"]),
        ("--threads", ["0"]),
        ("--memory-gib", ["nan"]),
        ("--gpu-memory-gib", ["0"]),
        ("--rescale", ["inf", "0"]),
    ):
        run = ctseg("predict", "none.onnx", "none.nii", "-o", "out.nii", option, *texts)
        assert run.returncode == 2, run.stderr
        assert f"argument {option}: {texts[0]} should be" in run.stderr
