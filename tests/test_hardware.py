from pathlib import Path

from ctseg.hardware import memory_at_hand_gib


def test_the_memory_at_hand_is_a_share_of_what_the_kernel_tells(monkeypatch):
    monkeypatch.setenv("PATH", "")  # no driver's tool
    total_gib = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    assert 0.4 * total_gib < memory_at_hand_gib() < 0.6 * total_gib


def test_the_smallest_gpu_counts(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 81920\necho 40960\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert memory_at_hand_gib() == 0.8 * 40
