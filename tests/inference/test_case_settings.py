"""Settings that the config leaves to the machine, and the record of the values that a job used."""

import pytest

from ctseg.inference import case_settings
from ctseg.inference.case_settings import cases_per_job_of, gpus_of, settings_of
from ctseg.inference.case_task import CaseTask

AUTO = {"gpus": "auto", "engine": "auto", "cases_per_job": "auto"}


@pytest.mark.parametrize(
    ("here", "engine", "gpus"), [(0, "auto", 0), (4, "auto", 1), (4, "torch", 1), (4, "openvino", 0)]
)
def test_a_job_asks_for_one_gpu_where_there_is_one_and_its_engine_uses_it(monkeypatch, here, engine, gpus):
    monkeypatch.setattr(case_settings, "gpus_here", lambda: here)
    infer = AUTO | {"engine": engine}
    assert gpus_of(infer) == gpus
    assert cases_per_job_of(infer) == (case_settings.MANY_CASES if gpus else 1)


def test_what_the_config_says_counts(monkeypatch):
    monkeypatch.setattr(case_settings, "gpus_here", lambda: 4)
    assert gpus_of(AUTO | {"gpus": 0}) == 0
    assert cases_per_job_of(AUTO | {"cases_per_job": 7}) == 7


@pytest.mark.parametrize("gpu", [{}, {"gpu": 0}, {"gpu": 1}])
def test_a_job_uses_a_gpu_where_it_was_given_one(gpu):
    step = {"engine": "auto", "gpu_memory_gib": "auto", "batch_size": 3, "memory_gib": 2.0}
    found = settings_of(step, gpu, 5)
    assert found == {
        "memory_gib": 2.0,
        "engine": "auto",
        "gpu_memory_gib": None,
        "batch_size": 3,
        "use_gpu": gpu.get("gpu") == 1,
        "threads": 5,
    }
    task = CaseTask(image="a", model="b", **found)
    assert (task.threads, task.memory_gib) == (5, 2.0)
    del step["memory_gib"]
    assert "memory_gib" not in settings_of(step, gpu, 5)
