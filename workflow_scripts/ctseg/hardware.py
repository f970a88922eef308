"""Processor, memory and GPUs of the machine."""

import os
import re
import shutil
import subprocess
from itertools import takewhile
from pathlib import Path

SHARE = 0.5  # largest share of the main memory for a training step
# Also an upper limit: on a processor time grows in proportion to the patch, and a study trains for minutes there.
MOST_ON_PROCESSOR_GIB = 3.0
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # processor flags of x86 and of ARM
GPU_SHARE = 0.8  # of a GPU's memory: no other program runs there, but memory is fragmented
MOST_OF_ALL_JOBS = 0.9  # share of the main memory that the jobs of one machine may request together
MOST_ON_GPU_GIB = 24.0  # as nnU-Net's largest usual plan; larger steps take longer, without a known benefit
DEVICES = Path("/dev")
CONTAINER_MEMORY = Path("/sys/fs/cgroup/memory.max")  # the limit of a container with cgroups 2
NO_GPU = ("", "-1", "NoDevFiles")  # in CUDA_VISIBLE_DEVICES; it hides this entry and all that follow


def training_memory(on_gpu: bool) -> tuple[float, str]:
    """Memory in GiB for a training step, and the reason: a share of the smallest GPU's, or of main memory."""
    gpus_mib = gpu_memory_mib() if on_gpu else []
    if gpus_mib:
        whole_gib, share, most_gib, device = min(gpus_mib) / 1024, GPU_SHARE, MOST_ON_GPU_GIB, "a GPU"
    else:
        whole_gib = _main_memory_gib()
        share, most_gib, device = SHARE, MOST_ON_PROCESSOR_GIB, "a processor"
    memory_gib = round(min(share * whole_gib, most_gib), 1)
    return memory_gib, f"made for {device} with {whole_gib:.0f} GiB: {share:.0%} of it, at most {most_gib:g} GiB"


def limits_of_jobs() -> dict[str, int]:
    """What jobs that run on this machine may request together, by Snakemake's names of resources.

    One job at a time uses GPUs, unless the call of snakemake says otherwise: training takes the whole memory of one.
    """
    return {"gpu": 1, "mem_mb": int(MOST_OF_ALL_JOBS * 1024 * _main_memory_gib())}


def gpus_here() -> int:
    """Number of NVIDIA GPUs that this process may use, by the device files: asking the driver takes too long.

    In Windows' Linux subsystem all GPUs have one file together, and count as one.
    """
    found = sum(bool(re.fullmatch(r"nvidia\d+", path.name)) for path in DEVICES.glob("nvidia*"))
    found = found or int((DEVICES / "dxg").exists() and shutil.which("nvidia-smi") is not None)
    visible = _visible_gpus()
    return found if visible is None else min(found, len(visible))


def processor_name() -> str:
    """The processor's model name, from /proc/cpuinfo of Linux."""
    known = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", known.read_text(), re.MULTILINE) if known.exists() else None
    return found[1] if found else "an unknown processor"


def has_bfloat16() -> bool:
    """Whether the processor supports bfloat16, by /proc/cpuinfo of Linux; otherwise it would be emulated, slowly."""
    known = Path("/proc/cpuinfo")
    found = re.search(r"^(?:flags|Features)\s*: (.+)$", known.read_text(), re.MULTILINE) if known.exists() else None
    return bool(found and BFLOAT16_FLAGS & set(found[1].split()))


def gpu_memory_mib() -> list[int]:
    """Memory in MiB of each GPU that this process may use, from nvidia-smi: a tenth of the time of importing torch.

    A GPU without memory of its own (NVIDIA GB10) has the main memory. CUDA may number GPUs in another order than
    nvidia-smi, so if CUDA_VISIBLE_DEVICES has n numbers, the n smallest GPUs count.
    """
    tool, visible = shutil.which("nvidia-smi"), _visible_gpus()
    if not tool or visible == []:
        return []
    command = [tool, "--query-gpu=uuid,memory.total", "--format=csv,noheader,nounits"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = [line.split(", ") for line in answer.stdout.splitlines()] if answer.returncode == 0 else []
    named = [name for name in visible or [] if name.startswith("GPU-")]
    memory_mib = sorted(
        int(total) if total.strip().isdigit() else int(_main_memory_gib() * 1024)
        for uuid, total in rows
        if not named or any(uuid.startswith(name) for name in named)
    )
    return memory_mib if visible is None else memory_mib[: len(visible)]


def _visible_gpus() -> list[str] | None:
    """The numbers or UUIDs of GPUs in CUDA_VISIBLE_DEVICES, which may be shortened; None if it is not set."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return None
    return list(takewhile(lambda name: name not in NO_GPU, map(str.strip, given.split(","))))


def _main_memory_gib() -> float:
    """Main memory of this machine, or of the container in which this process runs."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = CONTAINER_MEMORY.read_text().strip() if CONTAINER_MEMORY.exists() else ""
    return min(whole, int(limit) if limit.isdigit() else whole) / 2**30
