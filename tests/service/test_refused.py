"""Faults of the disk in a sentence."""

import errno
import os

import pytest

from serving.refused import Refused, disk_faults_told


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no room left for the upload"),
        (errno.EDQUOT, "no room left for the upload"),
        (errno.EFBIG, "no room left for the upload"),
        (errno.EIO, r"cannot be written or read on the disk \(Input/output error\)"),
    ],
)
def test_a_fault_of_the_disk_is_507_and_names_no_path(number, words):
    with pytest.raises(Refused, match=words) as caught, disk_faults_told():
        raise OSError(number, os.strerror(number), "/home/doe/scan")
    assert caught.value.status == 507
    assert "doe" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_another_error_passes():
    with pytest.raises(Refused, match="as it is"), disk_faults_told():
        raise Refused(422, "as it is")
