from pathlib import Path

import pytest

from ctseg import hardware
from ctseg.hardware import gpu_memory_mib, gpus_here, limits_of_jobs, training_memory


def driver(monkeypatch, folder, text, visible=None):
    """Let nvidia-smi print a text, or be missing if there is none, and CUDA_VISIBLE_DEVICES have a value if any."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    tool = folder / "nvidia-smi"
    if text:
        tool.write_text(f"#!/bin/sh\nprintf '{text}'\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin" if text else "")


@pytest.mark.parametrize(("total_gib", "expected_gib"), [(64, 3.0), (4, 2.0)])
def test_a_processor_plans_for_half_of_the_memory_or_for_what_it_computes_in_time(
    monkeypatch, tmp_path, total_gib, expected_gib
):
    driver(monkeypatch, tmp_path, "")
    monkeypatch.setattr(hardware.os, "sysconf", {"SC_PAGE_SIZE": 2**12, "SC_PHYS_PAGES": total_gib * 2**18}.get)
    for on_gpu in (False, True):  # without a GPU, to want one changes nothing
        memory_gib, reason = training_memory(on_gpu)
        assert memory_gib == expected_gib
        assert f"a processor with {total_gib} GiB" in reason


@pytest.mark.parametrize(("limit", "expected_mib"), [("max\n", 9 * 8 * 1024 // 10), (f"{2**32}\n", 3686), (None, 7372)])
def test_jobs_together_get_most_of_the_memory_of_the_machine_or_of_its_container(
    monkeypatch, tmp_path, limit, expected_mib
):
    monkeypatch.setattr(hardware.os, "sysconf", {"SC_PAGE_SIZE": 2**12, "SC_PHYS_PAGES": 8 * 2**18}.get)
    monkeypatch.setattr(hardware, "CONTAINER_MEMORY", tmp_path / "memory.max")
    if limit:
        (tmp_path / "memory.max").write_text(limit)
    assert limits_of_jobs() == {"gpu": 1, "mem_mb": expected_mib}


TWO = "GPU-aa11, 81920\\nGPU-bb22, 8192\\n"


@pytest.mark.parametrize(
    ("text", "visible", "expected_gib"),
    [
        (TWO, None, 6.4),
        (TWO, "0,1", 6.4),
        (TWO, "0", 6.4),
        (TWO, "GPU-aa11", 24.0),
        (TWO, "GPU-bb", 6.4),
        (TWO, " GPU-aa11 , -1, GPU-bb22", 24.0),
        ("GPU-aa11, 81920\\n", None, 24.0),
        ("GPU-aa11, 81920\\n", "MIG-cc33", 24.0),
        ("GPU-dd44, [N/A]\\n", None, 24.0),
        ("GPU-dd44, [Not Supported]\\n", "0", 24.0),
    ],
)
def test_a_plan_is_made_for_the_smallest_gpu_that_may_be_used(monkeypatch, tmp_path, text, visible, expected_gib):
    driver(monkeypatch, tmp_path, text, visible)
    monkeypatch.setattr(hardware.os, "sysconf", {"SC_PAGE_SIZE": 2**12, "SC_PHYS_PAGES": 120 * 2**18}.get)
    memory_gib, reason = training_memory(True)
    assert memory_gib == expected_gib
    assert "a GPU" in reason
    assert "a processor" in training_memory(False)[1]


@pytest.mark.parametrize("visible", ["", "-1", "NoDevFiles", "-1,0"])
def test_a_machine_whose_gpus_are_hidden_has_none(monkeypatch, tmp_path, visible):
    driver(monkeypatch, tmp_path, TWO, visible)
    assert (gpus_here(), gpu_memory_mib()) == (0, [])
    assert "a processor" in training_memory(True)[1]


@pytest.mark.parametrize(
    ("files", "visible", "expected"),
    [
        ([], None, 0),
        (["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"], None, 2),
        (["nvidia0", "nvidia1"], "1", 1),
        (["nvidia0"], "", 0),
        (["nvidia0"], "-1", 0),
        (["dxg"], None, 1),
    ],
)
def test_gpus_are_counted_without_asking_the_driver(monkeypatch, tmp_path, files, visible, expected):
    driver(monkeypatch, tmp_path, "GPU-aa11, 1024", visible)
    devices = tmp_path / "dev"
    devices.mkdir()
    for name in files:
        (devices / name).touch()
    monkeypatch.setattr(hardware, "DEVICES", Path(devices))
    assert gpus_here() == expected
