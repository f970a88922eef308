"""Memory that is freed stays with the process, in a process of its own."""

import subprocess
import sys

import pytest

from places import SCRIPTS

PROGRAM = """
import resource, sys
sys.path.insert(0, {scripts!r})
from ctseg.training.malloc import keep_freed_memory
import numpy as np
if {keep}:
    keep_freed_memory()
np.ones(2**24, np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2**24, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other allocators")
def test_the_same_array_again_needs_no_new_pages():
    def faults(keep: bool) -> int:
        program = PROGRAM.format(scripts=str(SCRIPTS), keep=keep)
        environment = {"NUMPY_MADVISE_HUGEPAGE": "0"}
        return int(
            subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment).stdout
        )

    assert faults(keep=False) > 20 * faults(keep=True)
