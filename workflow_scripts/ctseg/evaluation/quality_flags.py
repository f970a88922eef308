"""Reasons to look at a segmentation twice: what is unusual about its scan, its lung field, and what was found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ctseg.geometry.volume import LEEWAY_MM
from ctseg.inference.model_card import ModelCard

LEEWAY = 0.2  # by which share a scan may lie outside of what the model was trained on
COARSE = 2.5  # times the model's voxels, from which on slices or pixels are called coarse
CUT_LUNGS = 0.02  # share of the scan's first or last slice that is lung, from which on lungs are called cut
AGREEMENT = 0.9  # Dice of the lung fields of both methods, below which they are called different
UNCERTAIN_BITS = 0.6  # mean entropy of a component; a probability of 0.15 or 0.85 everywhere
MEASURES = {
    "pixel_spacing_mm": "pixels of {:g} mm",
    "slice_spacing_mm": "slices {:g} mm apart",
    "length_mm": "a length of {:g} mm",
}


def measures_of(facts: Mapping[str, Any]) -> dict[str, float]:
    """Pixel and slice spacing and length of a scan in mm, from the facts of its conversion."""
    spacing_mm, slices = facts["spacing_xyz_mm"], facts["size_xyz"][2]
    return {
        "pixel_spacing_mm": spacing_mm[0],
        "slice_spacing_mm": spacing_mm[2],
        "length_mm": round(slices * spacing_mm[2], 2),
    }


def ranges(scans: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """The smallest and largest of each of `measures_of` over some scans."""
    measured = [measures_of(facts) for facts in scans]
    return {name: [min(each[name] for each in measured), max(each[name] for each in measured)] for name in MEASURES}


def quality_flags(
    facts: Mapping[str, Any], card: ModelCard, lungs: Mapping[str, Any] | None, components: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What is unusual about a scan and its segmentation, in words; nothing for most.

    `facts` are those of the conversion, `lungs` those of the lung field where the model works inside the lungs, and
    `components` the rows of the components' table.
    """
    return [
        *facts.get("warnings", []),
        *_unlike_training(facts, card),
        *_coarse(facts, card),
        *(_lungs(lungs) if lungs and card.preparation.region == "lungs" else []),
        *_findings(components),
    ]


def _unlike_training(facts: Mapping[str, Any], card: ModelCard) -> list[str]:
    """Measures that lie outside of those of the training scans."""
    found = []
    for name, value in measures_of(facts).items():
        if name in card.trained_on:
            low, high = card.trained_on[name]
            if not low * (1 - LEEWAY) - LEEWAY_MM <= value <= high * (1 + LEEWAY) + LEEWAY_MM:
                words = MEASURES[name].format(round(value, 2))
                found.append(f"{words}; the model was trained on {low:.2f} to {high:.2f} mm")
    return found


def _coarse(facts: Mapping[str, Any], card: ModelCard) -> list[str]:
    """Voxels that are much larger than those that the network sees."""
    pairs = zip("xyz", facts["spacing_xyz_mm"], card.preparation.spacing_xyz_mm, strict=True)
    axes = [axis for axis, scan_mm, model_mm in pairs if scan_mm > COARSE * model_mm + LEEWAY_MM]
    return [f"voxels are much coarser than the model's along {', '.join(axes)}"] if axes else []


def _lungs(lungs: Mapping[str, Any]) -> list[str]:
    """A lung field that cannot be used, or that the scan cuts."""
    if not lungs["plausible"]:
        return [f"the lung field is not plausible ({lungs['reason']}), so the whole scan was searched"]
    agreement = lungs.get("agreement")
    differ = agreement is not None and agreement < AGREEMENT
    said = f"threshold and network differ on the lung field (Dice {agreement}), which is that of {lungs.get('method')}"
    return [*["the scan cuts the lungs"] * (lungs["cut_fraction"] > CUT_LUNGS), *[said] * differ]


def _findings(components: Sequence[Mapping[str, Any]]) -> list[str]:
    """Nothing found, or found with doubt."""
    if not components:
        return ["nothing was found"]
    unsure = [row for row in components if (row.get("mean_entropy_bits") or 0) > UNCERTAIN_BITS]
    return [f"{len(unsure)} of {len(components)} components are uncertain"] if unsure else []
