"""Who executes a model. One small interface: `engine(patches) -> probabilities`, see `windows.Network`.

Another engine is one more class with a name in `ENGINES` and in the config's schema.
"""

import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ctseg.errors import InputError
from ctseg.hardware import gpu_memory_mib, has_bfloat16
from ctseg.model import METADATA_KEY, ModelCard, read_card

GPU_PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
ONNX, TORCHSCRIPT = ".onnx", ".ts"


class Engine(Protocol):
    """A loaded model: what stands in its card, who runs it, and the network itself."""

    card: ModelCard
    name: str

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probabilities [batch, class, z, y, x] of float32 HU patches [batch, 1, z, y, x]."""


class OpenVinoEngine:
    """The fastest on processors: compiled once for each shape of a batch."""

    def __init__(self, path: Path, threads: int, precision: str | None = None) -> None:
        """Read `path`; `threads` cores are used. Raises InputError when it is no ctseg model."""
        import openvino as ov  # takes 0.2 s that other engines need not spend

        self._core = ov.Core()
        try:
            self._model = self._core.read_model(str(path))
        except RuntimeError as error:
            raise _not_loadable(path, error) from None
        # OpenVINO keeps what an ONNX file says of itself under "framework".
        place = ["framework", METADATA_KEY]
        said = {METADATA_KEY: self._model.get_rt_info(place).value} if self._model.has_rt_info(place) else {}
        self.card = read_card(path, said)
        # bfloat16 saves time where the processor computes in it; elsewhere it would be emulated, slowly.
        wanted = precision or self.card.infer.precision
        precision = "float32" if wanted == "bfloat16" and not has_bfloat16() else wanted
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


class OnnxRuntimeEngine:
    """Runs everywhere; on a GPU when the installed build has TensorRT or CUDA."""

    def __init__(self, path: Path, threads: int, precision: str | None = None) -> None:
        """Load `path`; the CPU uses `threads` cores. Raises InputError when it is no ctseg model.

        The file alone decides the precision: float32, or int8. It has no bfloat16 mode.
        """
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        # Without spinning, idle threads leave the cores to the job beside this one.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted = (*GPU_PROVIDERS, "CPUExecutionProvider")
        providers = [name for name in wanted if name in ort.get_available_providers()]
        try:
            self._session = ort.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # ONNX Runtime's own exception types share no public base class
            raise _not_loadable(path, error) from None
        self.card = read_card(path, self._session.get_modelmeta().custom_metadata_map)
        self.name = f"ONNX Runtime {ort.__version__} {self._session.get_providers()[0]}"

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probabilities [batch, class, z, y, x] of float32 HU patches [batch, 1, z, y, x]."""
        return self._session.run(None, {"hu": patches})[0]


class TorchEngine:
    """Runs the TorchScript file, on CUDA where there is a GPU, and in bfloat16 if asked to."""

    def __init__(self, path: Path, threads: int, precision: str | None = None) -> None:
        """Load `path`, a model.ts; the CPU uses `threads` cores. Raises InputError when it is no ctseg model."""
        import torch

        path = path.with_suffix(TORCHSCRIPT)
        if not path.is_file():
            raise InputError(f"the engine torch needs {path}, which is exported beside the .onnx file")
        self._torch = torch
        torch.set_num_threads(threads)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        extra = {f"{METADATA_KEY}.json": ""}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # TorchScript announces its successor
                self._model = torch.jit.load(str(path), map_location=self._device, _extra_files=extra).eval()
        except RuntimeError as error:
            raise _not_loadable(path, error) from None
        text = extra[f"{METADATA_KEY}.json"]
        self.card = read_card(path, {METADATA_KEY: text} if text else {})
        precision = precision or self.card.infer.precision
        self._bfloat16 = precision == "bfloat16"
        self.name = f"torch {torch.__version__} {self._device.type} {precision}"

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probabilities [batch, class, z, y, x] of float32 HU patches [batch, 1, z, y, x]."""
        torch = self._torch
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            found = self._model(torch.from_numpy(patches).to(self._device))
        return found.float().cpu().numpy()


ENGINES: dict[str, Callable[[Path, int, str | None], Engine]] = {
    "openvino": OpenVinoEngine,
    "onnxruntime": OnnxRuntimeEngine,
    "torch": TorchEngine,
}


def load_engine(path: str | Path, threads: int, choice: str = "auto", precision: str | None = None) -> Engine:
    """Load a model file for the engine that is asked for, or the fastest that is there.

    The engine torch runs the .ts file that is exported beside each .onnx. The precision is the model's own if no other
    is given. Raises InputError when a file is missing or no ctseg model, or the engine is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"the model {path} does not exist")
    if path.suffix not in (ONNX, TORCHSCRIPT) or (path.suffix == TORCHSCRIPT and choice not in ("auto", "torch")):
        raise InputError(f"{path} is no model for this engine: give model{ONNX}, or model{TORCHSCRIPT} for torch")
    name = fastest_engine(path) if choice == "auto" else choice
    if find_spec(name) is None:
        raise InputError(f"the engine {name} is not installed; `pip install {name}`, or set infer.engine to auto")
    return ENGINES[name](path, threads, precision)


def fastest_engine(path: Path) -> str:
    """The engine that `auto` stands for: on a GPU ONNX Runtime if its build can, else torch; else OpenVINO."""
    if path.suffix == TORCHSCRIPT:
        return "torch"
    if gpu_memory_mib():
        if onnxruntime_has_gpu():
            return "onnxruntime"
        if find_spec("torch") and "cpu" not in version("torch") and path.with_suffix(TORCHSCRIPT).is_file():
            return "torch"
    return "openvino" if find_spec("openvino") else "onnxruntime"


def onnxruntime_has_gpu() -> bool:
    """Whether ONNX Runtime is installed in a build for GPUs."""
    if find_spec("onnxruntime") is None:
        return False
    import onnxruntime as ort

    return bool(set(GPU_PROVIDERS) & set(ort.get_available_providers()))


def lower_precisions(engine: str) -> list[str]:
    """The precisions below float32 that an engine has on this machine."""
    if engine == "torch":
        return ["bfloat16"] if gpu_memory_mib() else []
    return ["int8", *(["bfloat16"] if engine == "openvino" and has_bfloat16() else [])]


def mirrored(network: Callable[[np.ndarray], np.ndarray], axes: str) -> Callable[[np.ndarray], np.ndarray]:
    """The mean of a network's answers to a patch and to its mirror images along each combination of `axes`, as "xy".

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


def _not_loadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} cannot be loaded as a model: {' '.join(str(error).split())[:200]}")
