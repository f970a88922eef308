"""What a model found in a scan, as it is told to others."""

from dataclasses import dataclass
from typing import Any

from ctseg.geometry.volume import Volume


@dataclass(frozen=True)
class Findings:
    """A segmentation (uint8, classes 1…n) on its scan's grid, the names of the classes, and who made it.

    `components` are the rows of `components.measure_components`; `model_hash` is the SHA-256 of the model file.
    """

    segmentation: Volume
    names: tuple[str, ...]
    components: list[dict[str, Any]]
    model_hash: str
