"""The findings of a model in a scan, for export."""

from dataclasses import dataclass
from typing import Any

from ctseg.geometry.volume import Volume


@dataclass(frozen=True)
class Findings:
    """A segmentation (uint8 `[z, y, x]`, classes 1…n) on its scan's grid, the names of classes 1…n, and the model.

    `components` are the rows of `components.measure_components`; `model_hash` is the SHA-256 of the model file.
    """

    segmentation: Volume
    names: tuple[str, ...]
    components: list[dict[str, Any]]
    model_hash: str
