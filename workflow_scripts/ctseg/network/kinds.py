"""What each kind of network can do: the rules that the plan and the checks of the config follow.

Read with the config, so it imports nothing. What is said of a network in words stands in `catalogue.networks`, so that
another wording runs no job again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

AUTO = "auto"
AUTO_KIND = "dynunet"


@dataclass(frozen=True)
class NetworkKind:
    """Which settings of the config's section `network` a network takes, and which `auto` stands for.

    It has at least `fewest_levels`. With `even_strides` each level halves all axes, with `doubling` features double
    from level to level, and with `kernels_vary` kernels need not be 3 along each axis. `deep_supervision` says whether
    the coarser levels can be trained to segment, too; `stem` whether the first level may be coarser than the voxels;
    `narrow_end` that the last layers have one feature a label, too few for norm group.
    """

    norm: str = "batch"
    residual_units: int = 1
    fewest_levels: int = 2
    even_strides: bool = False
    doubling: bool = False
    kernels_vary: bool = False
    deep_supervision: bool = False
    stem: bool = False
    narrow_end: bool = False


KINDS = {
    "unet": NetworkKind(narrow_end=True),
    "dynunet": NetworkKind("instance", 0, 3, kernels_vary=True, deep_supervision=True, stem=True),
    "segresnet": NetworkKind("group", even_strides=True, doubling=True),
}


def kind_name(architecture: str) -> str:
    """The kind that the config's `architecture` means."""
    return AUTO_KIND if architecture == AUTO else architecture


def follows_device(plan: Mapping[str, Any], network: Mapping[str, Any]) -> bool:
    """Whether anything that is `auto` in these sections of the config follows from the device that trains."""
    stem = network["stem"] == AUTO and KINDS[kind_name(network["architecture"])].stem
    return stem or AUTO in (plan["patch_size"], plan["batch_size"], network["channels"])


def resolved(network: Mapping[str, Any]) -> dict[str, Any]:
    """The config's section `network` without the `auto` that follow from no data: kind, norm, residual units and deep
    supervision.
    """
    name = kind_name(network["architecture"])
    kind = KINDS[name]
    usual = {"norm": kind.norm, "residual_units": kind.residual_units, "deep_supervision": kind.deep_supervision}
    chosen = {key: value if network[key] == AUTO else network[key] for key, value in usual.items()}
    return {**network, "architecture": name, **chosen}
