"""Settings of a network as plain values, for training and for the card of a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctseg.network.levels import Axes, size_multiple


@dataclass(frozen=True)
class NetworkSettings:
    """A network: features per level, residual units per level, norm, dropout, strides and kernels.

    `strides_zyx` are the factors from each level to the next, `stem_zyx` those from the voxels to the first level;
    `kernels_zyx` has one size per level. With `deep_supervision` the coarser levels are also trained to segment. Only
    "dynunet" supports deep supervision, a stem and kernels other than 3. `exclusive` classes share one softmax with the
    background, others have one sigmoid each.
    """

    channels: tuple[int, ...]
    residual_units: int
    norm: str
    dropout: float
    strides_zyx: tuple[Axes, ...]
    kernels_zyx: tuple[Axes, ...]
    architecture: str = "unet"
    deep_supervision: bool = False
    exclusive: bool = False
    stem_zyx: Axes = (1, 1, 1)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "NetworkSettings":
        """Settings from the result of `dataclasses.asdict` after JSON, which turns tuples into lists."""
        axes = {name: tuple(tuple(level) for level in plain[name]) for name in ("strides_zyx", "kernels_zyx")}
        stem = {"stem_zyx": tuple(plain["stem_zyx"])} if "stem_zyx" in plain else {}  # older models have none
        return cls(**{**plain, "channels": tuple(plain["channels"]), **axes, **stem})

    @property
    def multiple_zyx(self) -> Axes:
        """Factors between the voxels and the coarsest level; patch sizes must be multiples of them."""
        return size_multiple([self.stem_zyx, *self.strides_zyx])
