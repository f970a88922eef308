"""The precision in which a network is trained on a device."""

import torch

PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def resolved_precision(wanted: str, device: torch.device) -> str:
    """Precision of convolutions on this device.

    `auto` is bfloat16 on GPUs and float32 on processors; tf32 and float16 become float32 on processors. A processor
    with bfloat16 units needs 0.55 to 0.67 of the time for a step in bfloat16, but this is not the default: networks
    for soft-tissue sarcomas were no better after the same time, see docs/training.md.
    """
    on_gpu = device.type == "cuda"
    if wanted == "auto":
        return "bfloat16" if on_gpu else "float32"
    return "float32" if wanted in ("tf32", "float16") and not on_gpu else wanted
