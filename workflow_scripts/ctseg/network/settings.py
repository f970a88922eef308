"""A network as plain values: what training builds, and what the card of a model tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctseg.network.levels import Axes, size_multiple


@dataclass(frozen=True)
class NetworkSettings:
    """A network: features per level, residual units per level, norm, dropout, and how the levels follow one another.

    `strides_zyx` leads from each level to the next, `stem_zyx` from the voxels to the first level, `kernels_zyx` has
    one size a level. With `deep_supervision` the coarser levels are trained to segment, too; "dynunet" alone can do
    that, and have a stem and kernels that differ. `exclusive` classes share one softmax with the background, others
    have a sigmoid each.
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
        """Settings from the lists that `dataclasses.asdict` becomes in a JSON text."""
        axes = {name: tuple(tuple(level) for level in plain[name]) for name in ("strides_zyx", "kernels_zyx")}
        stem = {"stem_zyx": tuple(plain["stem_zyx"])} if "stem_zyx" in plain else {}  # older models have none
        return cls(**{**plain, "channels": tuple(plain["channels"]), **axes, **stem})

    @property
    def multiple_zyx(self) -> Axes:
        """Patch sizes must be multiples of this: the factor between the voxels and the coarsest level."""
        return size_multiple([self.stem_zyx, *self.strides_zyx])
