"""The engine torch, for GPUs: the network is rebuilt from the model's card and the weights in model.ts.

Only the weights of the TorchScript file are used. Its traced graph is for libtorch: the content of a trace depends on
the device and the precision that it was made with, the network itself does not.
"""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ctseg.errors import ModelError
from ctseg.hardware import has_bfloat16
from ctseg.inference.model_card import METADATA_KEY, ModelCard, read_card
from ctseg.network.architectures import SegmentationModel, build_network

CARD_FILE = f"{METADATA_KEY}.json"  # extra file of the TorchScript archive
AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class TorchEngine:
    """A model on one device, in one precision; see `engines.Engine`."""

    def __init__(
        self, path: Path, threads: int, precision: str | None = None, device: torch.device | str | None = None
    ) -> None:
        """Load the .ts file of the same name as `path`, on the GPU if there is one; the CPU uses `threads` cores.

        `device` overrides this choice. The precision is the model's own if no other is given. Raises ModelError if the
        file is missing, not a ctseg model, or of a version that did not describe its network.
        """
        torch.set_num_threads(threads)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.on_gpu = self.device.type == "cuda"
        self.card, weights = read_torchscript(path)
        self.model = built(self.card, weights, self.device)
        self.precision = precision_on(self.device, precision or self.card.infer.precision)
        self.name = f"torch {torch.__version__} {device_name(self.device)} {self.precision}"

    def release_memory(self) -> None:
        """Release the GPU memory that torch keeps for the next scan, since other programs may need it."""
        if self.on_gpu:
            torch.cuda.empty_cache()

    def probabilities(self, hu: torch.Tensor) -> torch.Tensor:
        """Float32 probabilities [batch, class, z, y, x] of float32 HU [batch, 1, z, y, x], both on the device."""
        dtype = AUTOCAST.get(self.precision)
        # A setting of the whole process: set at each call, since the process may hold engines of several precisions.
        torch.backends.cudnn.allow_tf32 = self.precision == "tf32"
        torch.backends.cudnn.deterministic = True
        hu = hu.contiguous(memory_format=torch.channels_last_3d)
        with torch.inference_mode(), torch.autocast(self.device.type, dtype, enabled=dtype is not None):
            return self.model(hu).float()

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probabilities [batch, class, z, y, x] of float32 HU patches [batch, 1, z, y, x]."""
        return self.probabilities(torch.from_numpy(patches).to(self.device)).cpu().numpy()


def built(card: ModelCard, weights: dict[str, torch.Tensor], device: torch.device) -> SegmentationModel:
    """The model described by a card, with these weights, ready for inference on a device."""
    assert card.network and card.scaling
    networks = [build_network(card.network, len(card.labels)) for _ in range(card.n_networks)]
    model = SegmentationModel(networks, card.scaling, card.network.exclusive)
    model.load_state_dict(weights)
    return model.eval().to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def precision_on(device: torch.device, wanted: str) -> str:
    """The precision in use; float32 replaces int8, and on the CPU tf32, float16 and unsupported bfloat16."""
    if device.type == "cpu":
        return "bfloat16" if wanted == "bfloat16" and has_bfloat16() else "float32"
    return "float32" if wanted == "int8" else wanted


def device_name(device: torch.device) -> str:
    """Name of the device in results."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()


def read_torchscript(path: Path) -> tuple[ModelCard, dict[str, torch.Tensor]]:
    """The card and the weights of the .ts file of the same name as a model file.

    Raises ModelError if the file is missing, cannot be read, or its card does not describe the network.
    """
    path = path.with_suffix(".ts")
    if not path.is_file():
        raise ModelError(f"the engine torch needs {path}, which is exported beside the .onnx file")
    extra: dict[str, Any] = {CARD_FILE: ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript announces its successor
            weights = torch.jit.load(str(path), map_location="cpu", _extra_files=extra).state_dict()
    except (RuntimeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} cannot be loaded as a model: {reason}") from None
    card = read_card(path, {METADATA_KEY: extra[CARD_FILE]} if extra[CARD_FILE] else {})
    if card.network is None:
        raise ModelError(
            f"{path} is of an older ctseg that did not describe its network; export the model again, or set "
            "infer.engine (--engine) to openvino or onnxruntime"
        )
    return card, weights
