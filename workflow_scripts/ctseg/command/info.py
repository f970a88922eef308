"""`ctseg info`: the description of a model from its own card."""

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ctseg.command.endings import DONE

if TYPE_CHECKING:  # numpy, which the help does not need
    from ctseg.inference.model_card import ModelCard

RESEARCH = "research software: no medical device, not for diagnosis"
MEASURES = {  # texts for ranges of measures of the training scans, by their names in the card
    "pixel_spacing_mm": "pixels of {} mm",
    "slice_spacing_mm": "slices {} mm apart",
    "length_mm": "a length of {} mm",
}
REGIONS = {
    "lungs": "the lungs: a chest CT; where no lung field is found the whole scan is searched, and this is told",
    "body": "the whole body that a scan shows",
}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", epilog: str) -> None:
    """Add the command and its arguments."""
    one = commands.add_parser(
        "info",
        help="say what a model is",
        description=run.__doc__,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("model", type=Path, help="model.onnx or model.ts")
    one.add_argument("--json", action="store_true", help="print the model's card as JSON")
    one.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Say what a model segments, what it was trained on, how it works and where."""
    from ctseg.file_hash import sha256_of
    from ctseg.inference.engines import read_model_card

    card = read_model_card(given.model)
    if given.json:
        print(json.dumps(asdict(card), indent=2, ensure_ascii=False))
        return DONE
    size = f"{given.model.stat().st_size / 2**20:.1f} MiB"
    told = {**dict(lines(card)), "file": f"{size}, SHA-256 {sha256_of(given.model)}", "note": RESEARCH}
    print(os.fspath(given.model))
    for name, text in told.items():
        print(f"  {name:<14}{text}")
    return DONE


def lines(card: "ModelCard") -> Iterator[tuple[str, str]]:
    """Heading and text of each line of a model's description."""
    prepared, infer = card.preparation, card.infer
    yield "segments", ", ".join(card.labels)
    yield "works in", REGIONS[prepared.region]
    yield "trained on", trained_on(card)
    yield "voxels", f"{sizes(prepared.spacing_xyz_mm)} mm (x, y, z), to which scans are resampled"
    yield "HU window", "{:g} to {:g}".format(*prepared.window_hu)
    yield "network", network(card)
    yield "windows", f"{infer.window}, patch of {sizes(card.patch_zyx)} voxels (z, y, x), overlap {infer.overlap:g}"
    mirrored = f", with mirror images along {', '.join(infer.mirror_axes)}" if infer.mirror_axes else ""
    yield "precision", infer.precision + mirrored
    yield "threshold", f"probability {card.threshold:g}"
    yield "afterwards", postprocessing(card)
    yield "made with", ", ".join(f"{name} {version}" for name, version in card.versions.items()) or "not told"
    yield "provenance", card.provenance or "not told"


def trained_on(card: "ModelCard") -> str:
    """Numbers of scans and patients, and the ranges of the measures of the scans."""
    ranges = {name: text for name, text in MEASURES.items() if name in card.trained_on}
    return ", ".join([card.training_data, *(text.format(span(card.trained_on[name])) for name, text in ranges.items())])


def span(ends: list[float]) -> str:
    """A range of values in mm as text, with three significant digits."""
    low, high = (f"{value:.3g}" for value in ends)
    return low if low == high else f"{low} to {high}"


def network(card: "ModelCard") -> str:
    """Architecture and features of the network, and the number of networks in the ensemble."""
    if card.network is None:
        one = "a network that the card does not describe"
    else:
        features = ", ".join(map(str, card.network.channels))
        one = f"{card.network.architecture} with {features} features"
    return one if card.n_networks == 1 else f"the mean of {card.n_networks} networks: {one}"


def postprocessing(card: "ModelCard") -> str:
    """Steps of the postprocessing, in words."""
    done = card.postprocess
    steps = [
        *([f"components below {done.min_volume_mm3:g} mm³ are removed"] if done.min_volume_mm3 else []),
        *(["only the largest component of each label is kept"] if done.keep_largest else []),
        *(["what lies outside of the lungs is removed"] if done.restrict_to_region else []),
    ]
    return "; ".join(steps) or "nothing is removed"


def sizes(values: tuple[float, ...]) -> str:
    """Sizes along the axes as text, such as 1 × 1 × 2."""
    return " × ".join(f"{value:g}" for value in values)
