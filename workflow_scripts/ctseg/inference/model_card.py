"""The card of a model, stored in the model file, an ONNX graph.

The file's metadata contains all that a prediction needs in addition to the scan, as one JSON text under the key
`ctseg`. ONNX Runtime is enough to read it.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ctseg.errors import ModelError
from ctseg.geometry.hounsfield import Scaling
from ctseg.geometry.volume import Shape
from ctseg.masks.postprocessing import PostprocessSettings
from ctseg.network.settings import NetworkSettings
from ctseg.plurals import counted
from ctseg.preprocessing.preparation import Preparation

METADATA_KEY = "ctseg"
FORMAT = 7  # of the card; a reader rejects formats not in `READABLE`
# 3 has no `provenance`, 3 and 4 have no `network`, 3 to 5 no `lungs`, 3 to 6 no `training_patients`.
READABLE = (3, 4, 5, 6, 7)


# Precisions of convolutions, the most exact first. On a GPU float32 is IEEE's; tf32 has 10-bit mantissas in products.
PRECISIONS = ("float32", "tf32", "float16", "bfloat16", "int8")


@dataclass(frozen=True)
class InferSettings:
    """Windows of a scan, and the precision of the network.

    `window` is "patch", the training patch's size, or "large", as large as the memory allows; neighbours share at least
    `overlap` of a patch. `precision` is one of `PRECISIONS`. Copies mirrored along the `mirror_axes`, as "xy", are
    segmented too.
    """

    window: str
    overlap: float
    precision: str = "float32"
    mirror_axes: str = ""


REFERENCE = InferSettings("patch", 0.5)  # usual practice, and the reference for faster settings


@dataclass(frozen=True)
class ModelCard:
    """Purpose, input and origin of a model.

    `labels` names the classes 1…n in the order of the network's outputs. `patch_zyx` is the size of the training
    patches in voxels; any window must be a multiple of `multiple_zyx`, and each of its voxels needs `window_bytes` of
    memory while the network runs. `training_hash` identifies the training data, `versions` the software; `trained_on`
    has the smallest and largest measures of the training scans, as of `quality_flags.measures_of`. `provenance` is the
    SHA-256 of the file `provenance.json`, the record of the model's origin, empty if unknown. `network` and `scaling`
    describe the network, so that it can be rebuilt for the weights in model.ts; None before format 5. `lungs` is the
    method of `lungs.segment.segment_lungs` that a model of the region "lungs" was trained with. `training_patients` is
    the number of patients of the training scans, 0 if unknown. `phantom` is true if the scans are phantoms, so that
    the model is only for trials, None if unknown.
    """

    labels: tuple[str, ...]
    preparation: Preparation
    patch_zyx: Shape
    multiple_zyx: Shape
    window_bytes: float
    infer: InferSettings
    threshold: float
    postprocess: PostprocessSettings
    n_networks: int
    training_cases: int
    training_hash: str
    versions: dict[str, str]
    trained_on: dict[str, list[float]] = field(default_factory=dict)
    provenance: str = ""
    network: NetworkSettings | None = None
    scaling: Scaling | None = None
    lungs: str = "threshold"
    training_patients: int = 0
    phantom: bool | None = None

    @property
    def training_data(self) -> str:
        """Training data as text: "24 scans of 20 patients", "24 scans" if patients are unknown, or "24 phantoms"."""
        if self.phantom:
            return counted(self.training_cases, "phantom")
        patients = f" of {counted(self.training_patients, 'patient')}" if self.training_patients else ""
        return counted(self.training_cases, "scan") + patients

    def to_json(self) -> str:
        """The card as JSON text for the model file: sorted keys, so that equal cards are equal texts."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """The card from the text of `to_json`. Raises ModelError for a format that is not in `READABLE`."""
        content: dict[str, Any] = json.loads(text)
        found = content.pop("format")
        if found not in READABLE:
            raise ModelError(f"the model has card format {found}, this ctseg reads {FORMAT}; use the matching version")
        prepared = content.pop("preparation")
        prepared["spacing_xyz_mm"] = tuple(prepared["spacing_xyz_mm"])
        prepared["window_hu"] = tuple(prepared["window_hu"])
        network, scaling = content.pop("network", None), content.pop("scaling", None)
        return cls(
            labels=tuple(content.pop("labels")),
            preparation=Preparation(**prepared),
            patch_zyx=tuple(content.pop("patch_zyx")),
            multiple_zyx=tuple(content.pop("multiple_zyx")),
            infer=InferSettings(**content.pop("infer")),
            postprocess=PostprocessSettings(**content.pop("postprocess")),
            network=NetworkSettings.from_plain(network) if network else None,
            scaling=Scaling(**scaling) if scaling else None,
            **content,
        )


def read_card(path: str | Path, metadata: dict[str, str]) -> ModelCard:
    """The card in the metadata of the model at `path`. Raises ModelError if it is not a ctseg model."""
    if METADATA_KEY not in metadata:
        raise ModelError(f"{path} is not a ctseg model: it has no `{METADATA_KEY}` metadata")
    return ModelCard.from_json(metadata[METADATA_KEY])


def read_card_file(path: str | Path) -> ModelCard:
    """The card in a file card.json. Raises ModelError for a format that is not in `READABLE`."""
    return ModelCard.from_json(Path(path).read_text(encoding="utf-8"))
