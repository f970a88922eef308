"""Engines that execute a model, with one interface: `engine(patches) -> probabilities`, see `sliding_window.Network`.

A new engine needs a class and a name in `ENGINES` and in the config's schema.
"""

import json
import zipfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ctseg.errors import ModelError
from ctseg.hardware import gpu_memory_mib, has_bfloat16
from ctseg.inference.model_card import METADATA_KEY, ModelCard, read_card

GPU_PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
ONNX, TORCHSCRIPT = ".onnx", ".ts"


class Engine(Protocol):
    """A loaded model: its card, the name of the engine, and the network itself."""

    card: ModelCard
    name: str
    on_gpu: bool  # whether all steps for a scan run on the GPU; see `gpu_inference`

    def release_memory(self) -> None:
        """Release the memory that is kept only for the next scan."""

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probabilities [batch, class, z, y, x] of float32 HU patches [batch, 1, z, y, x]."""


class ProcessorEngine:
    """Base class of engines with input and output arrays in the processor's memory."""

    on_gpu = False

    def release_memory(self) -> None:
        """Do nothing: no memory is kept."""


class OpenVinoEngine(ProcessorEngine):
    """OpenVINO, the fastest engine on processors; compiles the model once for each shape of a batch."""

    def __init__(self, path: Path, threads: int, precision: str | None = None, use_gpu: bool = False) -> None:
        """Read `path`; `threads` cores are used. Raises ModelError if it is not a ctseg model."""
        import openvino as ov  # import takes 0.2 s, which other engines save

        self._core = ov.Core()
        try:
            self._model = self._core.read_model(str(path))
        except RuntimeError as error:
            raise _not_loadable(path, error) from None
        # OpenVINO stores the metadata of an ONNX file under "framework".
        place = ["framework", METADATA_KEY]
        said = {METADATA_KEY: self._model.get_rt_info(place).value} if self._model.has_rt_info(place) else {}
        self.card = read_card(path, said)
        # bfloat16 saves time if the processor supports it; otherwise it would be emulated, slowly.
        wanted = precision or self.card.infer.precision
        able = ["int8", *["bfloat16"] * has_bfloat16()]
        precision = wanted if wanted in able else "float32"
        self._settings = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
            "ENABLE_CPU_PINNING": False,  # two jobs on one machine would be pinned to the same cores
        }
        self._compiled: dict[tuple[int, ...], Any] = {}
        self.name = f"OpenVINO {ov.__version__.split('-')[0]} CPU {precision}"

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probabilities [batch, class, z, y, x] of float32 HU patches [batch, 1, z, y, x]."""
        if patches.shape not in self._compiled:
            model = self._model.clone()
            model.reshape(list(patches.shape))
            self._compiled[patches.shape] = self._core.compile_model(model, "CPU", self._settings)
        return self._compiled[patches.shape](patches, share_inputs=True)[0]


class OnnxRuntimeEngine(ProcessorEngine):
    """ONNX Runtime; runs on every machine, and on a GPU if the installed build has TensorRT or CUDA."""

    def __init__(self, path: Path, threads: int, precision: str | None = None, use_gpu: bool = True) -> None:
        """Load `path`; the CPU uses `threads` cores. Raises ModelError if it is not a ctseg model.

        On a processor the file alone determines the precision: float32 or int8.
        """
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        # Without spinning, idle threads leave the cores to other jobs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = onnxruntime_providers(ort.get_available_providers() if use_gpu else [], precision)
        try:
            self._session = ort.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # ONNX Runtime's own exception types share no public base class
            raise _not_loadable(path, error) from None
        self.card = read_card(path, self._session.get_modelmeta().custom_metadata_map)
        self.name = f"ONNX Runtime {ort.__version__} {self._session.get_providers()[0]}"

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probabilities [batch, class, z, y, x] of float32 HU patches [batch, 1, z, y, x]."""
        return self._session.run(None, {"hu": patches})[0]


def torch_engine(path: Path, threads: int, precision: str | None = None, use_gpu: bool = True) -> Engine:
    """The engine torch; see `torch_engine.TorchEngine`."""
    from ctseg.inference.torch_engine import (
        TorchEngine,  # import of torch and MONAI takes seconds, which other engines save
    )

    return TorchEngine(path, threads, precision, None if use_gpu else "cpu")


ENGINES: dict[str, Callable[[Path, int, str | None, bool], Engine]] = {
    "openvino": OpenVinoEngine,
    "onnxruntime": OnnxRuntimeEngine,
    "torch": torch_engine,
}


def load_engine(
    path: str | Path, threads: int, choice: str = "auto", precision: str | None = None, use_gpu: bool = True
) -> Engine:
    """Load a model file for the engine `choice`; "auto" is the fastest one available.

    The engine torch uses the weights of the .ts file that is exported together with each .onnx file. The precision is
    the model's own if no other is given. Without `use_gpu` the model runs on the processor in any case. Raises
    ModelError if a file is missing or not a ctseg model, or if the engine is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"the model {path} does not exist")
    if path.suffix not in (ONNX, TORCHSCRIPT) or (path.suffix == TORCHSCRIPT and choice not in ("auto", "torch")):
        raise ModelError(f"{path} is not a model for this engine: give model{ONNX}, or model{TORCHSCRIPT} for torch")
    name = fastest_engine(path, use_gpu) if choice == "auto" else choice
    if find_spec(name) is None:
        raise ModelError(f"the engine {name} is not installed; `pip install {name}`, or set infer.engine to auto")
    return ENGINES[name](path, threads, precision, use_gpu)


def read_model_card(path: str | Path) -> ModelCard:
    """The card in a model file, .onnx or .ts. Raises ModelError if the file is missing or not a ctseg model."""
    path = Path(path)
    if path.suffix != TORCHSCRIPT or not path.is_file():
        return load_engine(path, 1, use_gpu=False).card
    text = torchscript_card(path)
    return read_card(path, {METADATA_KEY: text} if text else {})


def fastest_engine(path: Path, use_gpu: bool = True) -> str:
    """The engine for `auto`: torch for a .ts file; with a GPU torch, or else ONNX Runtime if built for GPUs.

    On a GPU torch needs a build for GPUs and a .ts file that describes its network. Without these engines: OpenVINO if
    installed, else ONNX Runtime.
    """
    if path.suffix == TORCHSCRIPT:
        return "torch"
    if use_gpu and gpu_memory_mib():
        if find_spec("torch") and "cpu" not in version("torch") and describes_network(path.with_suffix(TORCHSCRIPT)):
            return "torch"
        if onnxruntime_has_gpu():
            return "onnxruntime"
    return "openvino" if find_spec("openvino") else "onnxruntime"


def onnxruntime_providers(available: Sequence[str], precision: str | None) -> list[Any]:
    """Execution providers for ONNX Runtime, the fastest first, with their options.

    On CUDA, ONNX Runtime rounds factors to TF32 by default, which is disabled here for other precisions; TensorRT
    always rounds them.
    """
    options = {"CUDAExecutionProvider": {"use_tf32": str(int(precision == "tf32"))}}
    wanted = [name for name in GPU_PROVIDERS if name in available] + ["CPUExecutionProvider"]
    return [(name, options[name]) if name in options else name for name in wanted]


def describes_network(path: Path) -> bool:
    """Whether a TorchScript file exists and its card describes the network; cards of an older ctseg do not."""
    card = torchscript_card(path)
    return bool(card and json.loads(card).get("network"))


def torchscript_card(path: Path) -> str:
    """The text of the card in a TorchScript file; empty if the file or the card is missing."""
    try:
        with zipfile.ZipFile(path) as archive:
            card = next(name for name in archive.namelist() if name.endswith(f"/extra/{METADATA_KEY}.json"))
            return archive.read(card).decode()
    except (OSError, zipfile.BadZipFile, StopIteration):
        return ""


def onnxruntime_has_gpu() -> bool:
    """Whether ONNX Runtime is installed in a build for GPUs."""
    if find_spec("onnxruntime") is None:
        return False
    import onnxruntime as ort

    return bool(set(GPU_PROVIDERS) & set(ort.get_available_providers()))


def lower_precisions(engine: str, use_gpu: bool = True) -> list[str]:
    """The precisions below float32 that an engine supports on this machine."""
    if engine == "torch":
        return ["tf32", "float16", "bfloat16"] if use_gpu and gpu_memory_mib() else []
    return ["int8", *(["bfloat16"] if engine == "openvino" and has_bfloat16() else [])]


def mirrored(network: Callable[[np.ndarray], np.ndarray], axes: str) -> Callable[[np.ndarray], np.ndarray]:
    """Network that averages its output over a patch and its mirror images along each combination of `axes` ("xy").

    Test-time augmentation as in nnU-Net (Isensee et al., Nature Methods 2021): 2ⁿ passes for n axes.
    """
    dimensions = ["zyx".index(axis) + 2 for axis in axes]
    chosen = product((False, True), repeat=len(dimensions))
    flips = [tuple(d for d, flip in zip(dimensions, flipped, strict=True) if flip) for flipped in chosen]

    def mean(patches: np.ndarray) -> np.ndarray:
        total = np.zeros(1, dtype=np.float32)
        for flip in flips:
            total = total + np.flip(network(np.ascontiguousarray(np.flip(patches, flip))), flip)
        return total / len(flips)

    return mean if flips[1:] else network


def _not_loadable(path: Path, error: Exception) -> ModelError:
    return ModelError(f"{path} cannot be loaded as a model: {' '.join(str(error).split())[:200]}")
