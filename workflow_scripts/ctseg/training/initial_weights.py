"""Starting from the weights of another study's model."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from ctseg.errors import ModelError

logger = logging.getLogger(__name__)

ENOUGH = 0.9  # share of the weights that must fit; with other labels the last layers do not
FIRST_MEMBER = "networks.0."  # of an ensemble: one network starts from one network


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """The weights of a `weights.pt` or of the first network of a `model.ts`, by name.

    Nothing in a `.pt` file is executed; a TorchScript file is a program, so take it from people you trust. Raises
    InputError for any other file.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        raise ModelError(f"{path} holds weights merged for inference; give the model.ts that was made with it")
    try:
        if path.suffix == ".ts":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # TorchScript announces its successor
                state = torch.jit.load(str(path), map_location="cpu").state_dict()
            return {
                name.removeprefix(FIRST_MEMBER): value for name, value in state.items() if name.startswith(FIRST_MEMBER)
            }
        return torch.load(path, map_location="cpu", weights_only=True)["network"]
    except Exception:  # whatever the file is, it is not one of ours
        raise ModelError(
            f"{path} is neither a weights.pt nor a model.ts of ctseg; give one in train.init_from"
        ) from None


def starter(path: str | Path) -> Callable[[nn.Module], None]:
    """A function that puts the weights of a file into a network, before it is trained."""
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
