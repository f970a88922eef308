"""The parts of the report on the model: its card, its networks and their training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from ctseg.decisions import Stored
from ctseg.file_hash import sha256_of
from ctseg.files import read_json
from ctseg.inference.model_card import ModelCard
from ctseg.report.content import training_speeds
from ctseg.report.html import decision_table, svg, table


def read_members(source: Any) -> pd.DataFrame | None:
    """The table of the study's own networks, without the rows of mean and spread; None if it trained none."""
    if not source.get("members"):
        return None
    members = pd.read_csv(source.members, sep="\t", dtype={"network": str})
    return members[members["fold"].notna()]


def on_training(source: Any, params: Mapping[str, Any], made: Mapping[str, Stored]) -> dict[str, Any]:
    """The parts on the study's own networks; empty if the model is from another study."""
    if not source.get("members"):
        parts = ("training_speeds", "training_figure", "members_table", "parity_table", "plan_table", "variants_table")
        return dict.fromkeys(parts, "")
    networks = pd.read_csv(source.members, sep="\t", dtype={"network": str})
    variants = pd.read_csv(source.variants, sep="\t", keep_default_na=False)
    return {
        "training_speeds": training_speeds(Path(params["logs"]) / "train", set(networks["network"])),
        "training_figure": svg(source.training),
        "members_table": table(networks),
        "parity_table": table(pd.DataFrame(read_json(source.parity)["sizes"])),
        "plan_table": decision_table(made["plan"]),
        "variants_table": table(variants) if len(variants) else "",
    }


def card_table(card: ModelCard, model: str, params: Mapping[str, Any]) -> Markup:
    """HTML table of the model card: intended use, input, output, and hash of the file."""
    prepared, multiple = card.preparation, " × ".join(map(str, card.multiple_zyx))
    classes = card.labels
    rows = {
        "intended use": params["intended_use"],
        "not for": "diagnosis or treatment: research software, not a medical device",
        "licence": params["licence"],
        "input": "one CT scan in HU; DICOM, NIfTI, NRRD or MetaImage, any orientation and spacing",
        "output": f"a mask of {', '.join(classes)} on the scan's own grid; a table of components",
        "network's input": f"`hu`, float32 [batch, 1, z, y, x] at {list(prepared.spacing_xyz_mm)} mm (x, y, z); "
        f"sizes are multiples of {multiple}",
        "network's output": f"`probabilities`, float32 [batch, {len(classes)}, z, y, x]: {', '.join(classes)}",
        "region": prepared.region,
        "training data": f"{card.training_data}{_ranges(card)}; hash {card.training_hash[:16]}",
        "networks": str(card.n_networks),
        "file": f"model/model.onnx, {Path(model).stat().st_size / 2**20:.1f} MiB",
        "SHA-256": sha256_of(model),
    }
    return table(pd.DataFrame({"field": rows.keys(), "value": rows.values()}))


def _ranges(card: ModelCard) -> str:
    """Ranges of spacing and length of the training scans in words, as far as the model card has them."""
    words = {"pixel_spacing_mm": "pixels of", "slice_spacing_mm": "slices", "length_mm": "a length of"}
    found = [
        f"{word} {low:g} to {high:g} mm"
        for name, word in words.items()
        for low, high in [card.trained_on.get(name, (None, None))]
        if low is not None
    ]
    return f" with {', '.join(found)}" if found else ""
