"""How a job of the workflow infers: what the config leaves to the machine, and what the job was given of it."""

from collections.abc import Mapping
from typing import Any

from ctseg.decisions import unless_auto
from ctseg.hardware import gpus_here

MANY_CASES = 1000  # that share a process where starting one takes longer than a scan
ON_PROCESSOR = ("openvino",)  # engines that use no GPU


def gpus_of(infer: Mapping[str, Any]) -> int:
    """GPUs that a job of inference asks for, from the section `infer` of the config: auto is one where there is one."""
    if infer["gpus"] != "auto":
        return infer["gpus"]
    return int(infer["engine"] not in ON_PROCESSOR and gpus_here() > 0)


def cases_per_job_of(infer: Mapping[str, Any]) -> int:
    """How many cases share a process: auto is one, and on a GPU, which takes seconds to start, all."""
    if infer["cases_per_job"] != "auto":
        return infer["cases_per_job"]
    return MANY_CASES if gpus_of(infer) else 1


def settings_of(params: Mapping[str, Any], resources: Any, threads: int) -> dict[str, Any]:
    """The fields of `case_task.CaseTask` that say how to infer, from what a job was given.

    `params` are those of its rule; a job that takes windows of patch size alone needs no `memory_gib`.
    """
    given = {"memory_gib": params["memory_gib"]} if "memory_gib" in params else {}
    return given | {
        "engine": params["engine"],
        "gpu_memory_gib": unless_auto(params["gpu_memory_gib"]),
        "batch_size": unless_auto(params["batch_size"]),
        # `--resources gpu=0` caps the rule's request, and so means: on the CPU.
        "use_gpu": resources.get("gpu", 0) > 0,
        "threads": threads,
    }
