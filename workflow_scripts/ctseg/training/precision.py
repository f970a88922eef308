"""The precision in which a network is trained on a device."""

import torch

from ctseg.training.settings import TrainSettings

PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def resolved_precision(settings: TrainSettings, device: torch.device) -> str:
    """Precision of the convolutions of a training on this device.

    `auto` is bfloat16 on GPUs and float32 on processors; tf32 and float16 become float32 on processors. A processor
    with bfloat16 units needs 0.55 to 0.67 of the time for a step in bfloat16, but this is not the default: networks
    for soft-tissue sarcomas were no better after the same time, see docs/training.md.

    Where maps are two voxels deep, processors train in float32: there oneDNN's gradient of a convolution's weights in
    bfloat16 contains unset memory (torch 2.13 on an AMD EPYC; kernels of 3 × 3 × 3 and 3 × 3 × 1, not 3 × 1 × 1).
    """
    wanted = settings.precision
    if device.type == "cuda":
        return "bfloat16" if wanted == "auto" else wanted
    coarsest_depth = settings.patch_zyx[0] // settings.network.multiple_zyx[0]
    return "bfloat16" if wanted == "bfloat16" and coarsest_depth > 2 else "float32"
