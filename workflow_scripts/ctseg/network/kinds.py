"""Properties of each kind of network: the rules for the plan and for the checks of the config.

This module is loaded with the config, so it imports nothing that costs time. The descriptions of networks are in
`catalogue.networks`, so that a change of their wording reruns no job.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

AUTO = "auto"
AUTO_KIND = "dynunet"


@dataclass(frozen=True)
class NetworkKind:
    """Settings of the config's section `network` that a kind of network supports, and its values for `auto`.

    `fewest_levels` is its smallest number of levels. With `even_strides` each level halves all axes, with `doubling`
    features double from level to level, and with `kernels_vary` kernels need not be 3 along each axis.
    `deep_supervision` states whether the coarser levels can also be trained to segment, `stem` whether the first level
    may be coarser than the voxels, and `narrow_end` whether the last layers have one feature per label, too few for
    norm group.
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
    """Name of the kind of network for the config's `architecture`, which may be `auto`."""
    return AUTO_KIND if architecture == AUTO else architecture


def follows_device(plan: Mapping[str, Any], network: Mapping[str, Any]) -> bool:
    """Whether an `auto` in these sections of the config is resolved from the device that trains."""
    stem = network["stem"] == AUTO and KINDS[kind_name(network["architecture"])].stem
    return stem or AUTO in (plan["patch_size"], plan["batch_size"], network["channels"])


def resolved(network: Mapping[str, Any]) -> dict[str, Any]:
    """The config's section `network` with kind, norm, residual units and deep supervision resolved.

    Their values for `auto` do not depend on data.
    """
    name = kind_name(network["architecture"])
    kind = KINDS[name]
    usual = {"norm": kind.norm, "residual_units": kind.residual_units, "deep_supervision": kind.deep_supervision}
    chosen = {key: value if network[key] == AUTO else network[key] for key, value in usual.items()}
    return {**network, "architecture": name, **chosen}
