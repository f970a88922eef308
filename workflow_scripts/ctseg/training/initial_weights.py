"""Initial weights from the model of another study."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from ctseg.errors import ModelError

logger = logging.getLogger(__name__)

ENOUGH = 0.9  # share of the weights that must fit; the last layers do not fit if the labels differ
FIRST_MEMBER = "networks.0."  # prefix of the weights of the first network of an ensemble


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Weights of a `weights.pt` or of the first network of a `model.ts`, by name.

    No code of a `.pt` file is executed. A TorchScript file is a program, so it must come from a trusted source. Raises
    ModelError for any other file.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        raise ModelError(f"{path} holds weights merged for inference; give the model.ts that was made with it")
    try:
        if path.suffix == ".ts":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the warning that TorchScript is deprecated
                state = torch.jit.load(str(path), map_location="cpu").state_dict()
            return {
                name.removeprefix(FIRST_MEMBER): value for name, value in state.items() if name.startswith(FIRST_MEMBER)
            }
        return torch.load(path, map_location="cpu", weights_only=True)["network"]
    except Exception:  # any error means that the file is not from ctseg
        raise ModelError(
            f"{path} is neither a weights.pt nor a model.ts of ctseg; give one in train.init_from"
        ) from None


def starter(path: str | Path) -> Callable[[nn.Module], None]:
    """Function that loads the weights of a file into a network before its training.

    Layers with another shape keep their random weights. The function raises ModelError if the names of the layers
    differ, or if less than `ENOUGH` of the weights fit.
    """
    weights = read_weights(path)

    def start(network: nn.Module) -> None:
        own = network.state_dict()
        strange = sorted(set(weights) ^ set(own))
        if strange:
            side = "the file" if strange[0] in weights else "this study's network"
            raise ModelError(
                f"the network of {path} has other layers than this study's, {len(strange)} of them: only {side} has "
                f"{strange[0]}; give this study the same section network and the same plan.patch_size and spacing_mm"
            )
        anew = [name for name, value in own.items() if value.shape != weights[name].shape]
        fitting = sum(value.numel() for name, value in own.items() if name not in anew)
        if fitting < ENOUGH * sum(value.numel() for value in own.values()):
            name = anew[0]
            raise ModelError(
                f"{len(anew)} layers of {path} have other sizes than this study's network: {name} has "
                f"{list(weights[name].shape)}, here it is {list(own[name].shape)}; give this study the same network"
            )
        network.load_state_dict({name: own[name] if name in anew else weights[name] for name in own})
        logger.info("started from the weights given; new are %s", ", ".join(anew) or "none")

    return start
