"""Errors of disk and file system have a clear message; other OSErrors have none."""

import errno

import pytest

from ctseg.errors import refusal


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "your quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission is denied"),
        (errno.EIO, "the disk or network reports an error"),
        (errno.ESTALE, "the disk or network reports an error"),
    ],
)
def test_a_refusal_names_the_file_and_what_to_do(code, words):
    told = refusal(OSError(code, "as the system says it", "results/a.nii"))
    assert told.startswith("results/a.nii: ")
    assert words in told
    assert told == f"results/a.nii: {refusal(OSError(code, 'as the system says it'))}"


def test_other_errors_are_no_refusal():
    assert refusal(OSError(errno.EISDIR, "odd", "a")) == refusal(OSError("odd")) == ""
