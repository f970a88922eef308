"""Inference settings of a workflow job: values for `auto` in the config, and the fields of its `CaseTask`."""

from collections.abc import Mapping
from typing import Any

from ctseg.decisions import unless_auto
from ctseg.hardware import gpus_here

MANY_CASES = 1000  # in one process, if its start takes longer than a scan
ON_PROCESSOR = ("openvino",)  # engines that use no GPU


def gpus_of(infer: Mapping[str, Any]) -> int:
    """GPUs requested by an inference job, from the config's `infer`; auto is 1 if the engine can use one here."""
    if infer["gpus"] != "auto":
        return infer["gpus"]
    return int(infer["engine"] not in ON_PROCESSOR and gpus_here() > 0)


def cases_per_job_of(infer: Mapping[str, Any]) -> int:
    """Cases that share a process: auto is 1, or `MANY_CASES` on a GPU, which takes seconds to start."""
    if infer["cases_per_job"] != "auto":
        return infer["cases_per_job"]
    return MANY_CASES if gpus_of(infer) else 1


def settings_of(params: Mapping[str, Any], resources: Any, threads: int) -> dict[str, Any]:
    """The fields of `case_task.CaseTask` with inference settings, from a job's params, resources and threads.

    `params` are those of its rule; a job with windows of patch size only needs no `memory_gib`.
    """
    given = {"memory_gib": params["memory_gib"]} if "memory_gib" in params else {}
    return given | {
        "engine": params["engine"],
        "gpu_memory_gib": unless_auto(params["gpu_memory_gib"]),
        "batch_size": unless_auto(params["batch_size"]),
        # `--resources gpu=0` caps the rule's request at 0, so the job runs on the CPU.
        "use_gpu": resources.get("gpu", 0) > 0,
        "threads": threads,
    }
