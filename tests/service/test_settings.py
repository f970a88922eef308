"""Settings of the service: ranges of the numbers, from flags and from the environment."""

from dataclasses import fields

import pytest

from serving.settings import Settings, read_settings

ZERO = {"port", "gpu_memory_gib", "worker_memory_gib", "stop_seconds"}
NUMBERS = [item.name for item in fields(Settings) if isinstance(item.default, int | float)]


def refusal(capsys, *arguments, **environment):
    """Last line of the refusal of these settings."""
    with pytest.raises(SystemExit) as caught:
        read_settings([str(part) for part in arguments], environment)
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_without_flags_they_are_the_defaults():
    assert read_settings([], {}) == Settings()
    assert read_settings(["--keep-seconds", "0.5"], {"CTSEG_KEEP_JOBS": "3"}) == Settings(keep_seconds=0.5, keep_jobs=3)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_out_of_its_range_is_refused_in_a_sentence(name, capsys):
    flag = f"--{name.replace('_', '-')}"
    assert f"argument {flag}: -1 should be a number" in refusal(capsys, flag, -1)
    if name in ZERO:
        assert getattr(read_settings([flag, "0"], {}), name) == 0
    else:
        assert f"argument {flag}: 0 should be a number above 0" in refusal(capsys, flag, 0)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_no_limit_is_endless(text, capsys):
    assert f"{text} should be a number above 0" in refusal(capsys, f"--max-upload-mib={text}")


def test_what_is_no_number_is_told_also_from_the_environment(capsys):
    assert "--threads: 'two' is not a whole number" in refusal(capsys, CTSEG_THREADS="two")
    assert "--queue-size: '1.5' is not a whole number" in refusal(capsys, "--queue-size", "1.5")
    assert "--job-seconds: '' is not a number" in refusal(capsys, CTSEG_JOB_SECONDS="")
    assert "--upload-kib-per-second: 0 should be" in refusal(capsys, CTSEG_UPLOAD_KIB_PER_SECOND="0")
