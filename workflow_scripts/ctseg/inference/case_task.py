"""Inference of one case from files to files, in the job's own process or in a process shared by jobs."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ctseg.decisions import decided
from ctseg.files import read_json
from ctseg.inference.engines import Engine, load_engine
from ctseg.inference.predict import MEMORY_GIB, Progress, infer
from ctseg.lungs.plausibility import plausible_lungs
from ctseg.scans.nifti import read_nifti, write_nifti


@dataclass(frozen=True)
class CaseTask:
    """Files and settings of one case's inference, as plain values that can be sent to another process.

    An empty path means no file. If the decisions in the file `inference` choose the precision int8, the model of 8-bit
    integers in `int8`, if given, replaces `model`. A map is written if it has a path, `probability` only together with
    `low_threshold`. `uncertainty` is the entropy of all voxels, `uncertainty_of_found` that of the voxels in the
    prediction. With `use_gpu` the engine may run on a GPU; `batch_size` and `gpu_memory_gib` are as in `predict.infer`.
    """

    image: str
    model: str
    threads: int
    engine: str
    memory_gib: float = MEMORY_GIB
    gpu_memory_gib: float | None = None
    batch_size: int | None = None
    use_gpu: bool = True
    inference: str = ""
    prediction: str = ""
    int8: str = ""
    lungs: str = ""
    lungs_facts: str = ""
    low_threshold: str = ""
    probability: str = ""
    uncertainty: str = ""
    uncertainty_of_found: str = ""


def segment_case(task: CaseTask, progress: Progress | None = None) -> str:
    """Segment the case, write its maps, and return the engine and voxel count as text. Raises InputError."""
    engine = engine_for(task)
    maps = infer(
        read_nifti(task.image),
        plausible_lungs(task.lungs or None, task.lungs_facts or None),
        engine,
        memory_gib=task.memory_gib,
        probability=bool(task.low_threshold),
        entropy=bool(task.uncertainty),
        batch_size=task.batch_size,
        progress=progress,
        gpu_memory_gib=task.gpu_memory_gib,
        entropy_of_found=bool(task.uncertainty_of_found),
    )
    engine.release_memory()
    for volume, path in (
        (maps.labels, task.prediction),
        (maps.low_threshold, task.low_threshold),
        (maps.probability, task.probability),
        (maps.entropy, task.uncertainty or task.uncertainty_of_found),
    ):
        if volume and path:
            write_nifti(volume, path)
    return f"{engine.name}: {(maps.labels.voxels_zyx > 0).sum()} voxels of a target"


def engine_for(task: CaseTask) -> Engine:
    """The engine with the task's model, or with its int8 model if the inference decisions choose int8."""
    int8 = bool(task.inference) and decided(read_json(task.inference), "precision") == "int8"
    # A model that was trained elsewhere may itself consist of 8-bit integers.
    path = Path(task.int8 if int8 and task.int8 else task.model)
    return _loaded(path, path.stat().st_mtime_ns, task.threads, task.engine, task.use_gpu)


@lru_cache(maxsize=1)
def _loaded(path: Path, changed_ns: int, threads: int, choice: str, use_gpu: bool) -> Engine:
    """The engine, cached for the next case with the same model; a changed file is loaded again."""
    return load_engine(path, threads, choice, use_gpu=use_gpu)
