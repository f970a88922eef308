"""Plans for simulated fingerprints."""

import numpy as np

from ctseg.decisions import Decision
from ctseg.preprocessing.plan import plan
from ctseg.preprocessing.plan_network import Device

AUTO = {
    "region": "body",
    "spacing_mm": "auto",
    "window_hu": "auto",
    "scaling": "window",
    "patch_size": "auto",
    "batch_size": "auto",
    "memory_gib": 4,
    "architecture": "unet",
    "channels": [16, 32, 64, 128, 256],
    "stem": [1, 1, 1],
    "strides": "auto",
    "kernel_sizes": "auto",
}


def facts(spacing=(0.7, 0.7, 1.0), region=(300, 200, 250), percentiles=(-50.0, 40.0, 120.0), in_lungs=0.0, volumes=()):
    some = percentiles is not None
    ends = dict(zip(("0", "0.5", "50", "99.5", "100"), np.repeat(percentiles, (2, 1, 2)), strict=True)) if some else {}
    return {
        "spacing_xyz_mm": list(spacing),
        "region_xyz_mm": {"body": list(region), "lungs": [mm / 2 for mm in region]},
        "foreground_in_lungs": in_lungs if some else None,
        "foreground_hu": {"percentiles": ends, "mean": percentiles[1], "std": 30.0} if some else None,
        "classes": [{"component_volumes_mm3": list(volumes)}],
    }


def made(fingerprints, on_gpu=True, gpus=1, **given):
    wanted = AUTO | given
    device = Device(Decision(wanted.pop("memory_gib"), "for the test"), gpus if on_gpu else 0)
    return plan({str(i): fact for i, fact in enumerate(fingerprints)}, wanted, device)


def values(*arguments, **given):
    return {name: decision["value"] for name, decision in made(*arguments, **given).items()}
