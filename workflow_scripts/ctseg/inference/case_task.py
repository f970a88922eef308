"""One case from file to file: what the rule infer does, in the job's own process or in one that jobs share."""

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
    """What to segment and how, as plain values that another process can be told.

    An empty path stands for what is not there. `inference` is the file of the choices how to infer, where they are not
    the model's own, and `int8` the model of 8-bit integers; each map is written where it has a path, the
    entropy of all voxels or, as `uncertainty_of_found`, of those in the prediction. With `use_gpu` the engine may be
    one on a GPU; `batch_size` and `gpu_memory_gib` are as of `predict.infer`.
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
    """Segment the case, write its maps, and tell which engine found how much. Raises InputError for bad input."""
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
    """The engine with the model that the choices ask for."""
    int8 = bool(task.inference) and decided(read_json(task.inference), "precision") == "int8"
    # A model that was trained elsewhere may be one of 8-bit integers itself.
    path = Path(task.int8 if int8 and task.int8 else task.model)
    return _loaded(path, path.stat().st_mtime_ns, task.threads, task.engine, task.use_gpu)


@lru_cache(maxsize=1)
def _loaded(path: Path, changed_ns: int, threads: int, choice: str, use_gpu: bool) -> Engine:
    """The engine, which stays for the next case with the same model."""
    return load_engine(path, threads, choice, use_gpu=use_gpu)
