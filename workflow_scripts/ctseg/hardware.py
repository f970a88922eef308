"""What the machine has."""

import os
import re
import shutil
import subprocess
from pathlib import Path

SHARE = 0.5  # of the main memory that a training step may take
# And no more than this: larger patches cost a processor time in proportion, and a study trains for minutes there.
MOST_ON_PROCESSOR_GIB = 3.0
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86 and of ARM
GPU_SHARE = 0.8  # of a GPU's: nothing else runs there, but memory is fragmented
MOST_ON_GPU_GIB = 24.0  # as nnU-Net's largest usual plan; larger steps take longer and are not known to teach more
DEVICES = Path("/dev")


def training_memory() -> tuple[float, str]:
    """The memory in GiB for a training step, and why: of the smallest GPU where there is one, else of the machine."""
    gpus_mib = gpu_memory_mib()
    if gpus_mib:
        whole_gib, share, most_gib, device = min(gpus_mib) / 1024, GPU_SHARE, MOST_ON_GPU_GIB, "a GPU"
    else:
        whole_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        share, most_gib, device = SHARE, MOST_ON_PROCESSOR_GIB, "a machine without a GPU"
    memory_gib = round(min(share * whole_gib, most_gib), 1)
    return memory_gib, f"made for {device} with {whole_gib:.0f} GiB: {share:.0%} of it, at most {most_gib:g} GiB"


def gpus_here() -> int:
    """How many NVIDIA GPUs a process may use, as the system's files tell it: asking the driver takes too long for that.

    On Windows' Linux they have one file together, and count as one.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1", "NoDevFiles"):
        return 0
    found = sum(bool(re.fullmatch(r"nvidia\d+", path.name)) for path in DEVICES.glob("nvidia*"))
    found = found or int((DEVICES / "dxg").exists() and shutil.which("nvidia-smi") is not None)
    return min(found, len(visible.split(","))) if visible else found


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
