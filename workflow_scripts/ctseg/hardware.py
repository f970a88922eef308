"""What the machine has."""

import os
import re
import shutil
import subprocess
from pathlib import Path

SHARE = 0.5  # of the main memory that a training step may take
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86 and of ARM
GPU_SHARE = 0.8  # of a GPU's: nothing else runs there, but memory is fragmented


def memory_at_hand_gib() -> float:
    """The memory for a training step: of the smallest GPU where there is one, else of the machine."""
    gpus_mib = gpu_memory_mib()
    if gpus_mib:
        return GPU_SHARE * min(gpus_mib) / 1024
    return SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def processor_name() -> str:
    """What the processor is called, as Linux tells it."""
    known = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", known.read_text(), re.MULTILINE) if known.exists() else None
    return found[1] if found else "an unknown processor"


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16 itself, as Linux tells it; otherwise it would be emulated, slowly."""
    known = Path("/proc/cpuinfo")
    found = re.search(r"^(?:flags|Features)\s*: (.+)$", known.read_text(), re.MULTILINE) if known.exists() else None
    return bool(found and BFLOAT16_FLAGS & set(found[1].split()))


def gpu_memory_mib() -> list[int]:
    """What the driver's own tool tells; it costs a tenth of importing torch."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return []
    command = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(line) for line in answer.stdout.split()] if answer.returncode == 0 else []
