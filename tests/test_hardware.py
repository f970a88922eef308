from pathlib import Path

import pytest

from ctseg import hardware
from ctseg.hardware import gpus_here, training_memory


def driver(monkeypatch, folder, text):
    """Let the driver's tool tell this; without a text there is none."""
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
    memory_gib, reason = training_memory()
    assert memory_gib == expected_gib
    assert f"without a GPU with {total_gib} GiB" in reason


@pytest.mark.parametrize(("text", "expected_gib"), [("81920\\n8192\\n", 6.4), ("81920\\n", 24.0)])
def test_a_plan_is_made_for_the_smallest_gpu(monkeypatch, tmp_path, text, expected_gib):
    driver(monkeypatch, tmp_path, text)
    memory_gib, reason = training_memory()
    assert memory_gib == expected_gib
    assert "a GPU" in reason


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
    driver(monkeypatch, tmp_path, "1024")
    devices = tmp_path / "dev"
    devices.mkdir()
    for name in files:
        (devices / name).touch()
    monkeypatch.setattr(hardware, "DEVICES", Path(devices))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus_here() == expected
