"""Flags for a second look at a segmentation: unusual properties of the scan, the lung field, or the findings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ctseg.geometry.volume import LEEWAY_MM
from ctseg.inference.model_card import ModelCard
from ctseg.plurals import counted, listed
from ctseg.scans.flag import Flag
from ctseg.scans.scan_warnings import KINDS as SCAN_KINDS
from ctseg.scans.scan_warnings import scan_flags

LEEWAY = 0.2  # share by which a scan may exceed the range of the training scans
COARSE = 2.5  # voxel size, in voxels of the model, above which slices or pixels are called coarse
CUT_LUNGS = 0.02  # lung share of the scan's first or last slice above which the lungs are called cut
AGREEMENT = 0.9  # Dice between the lung fields of both methods below which they are called different
FIELD_USED = {  # by the `method` in the facts of the lung field
    "threshold": "the threshold's is used",
    "network": "the network's is used",
    "both": "the threshold's is used with the sick parts of the network's",
}
UNCERTAIN_BITS = 0.6  # mean entropy of a component, as of a probability of 0.15 or 0.85 in all voxels
BITS_DIGITS = 3  # decimals, as in the table of components, so that the table leads to the same flags
MOST_NUMBERS = 10  # largest number of uncertain lesions listed in a flag
MEASURES = {
    "pixel_spacing_mm": "pixels of {:g} mm",
    "slice_spacing_mm": "slices {:g} mm apart",
    "length_mm": "a length of {:g} mm",
}
KINDS = (
    "scan",
    *SCAN_KINDS,
    *(f"unlike_training_{name}" for name in MEASURES),
    "coarse_voxels",
    "lung_field_not_plausible",
    "lungs_cut",
    "lung_fields_differ",
    "nothing_found",
    "uncertain_lesions",
)


def measures_of(facts: Mapping[str, Any]) -> dict[str, float]:
    """Pixel and slice spacing and length of a scan in mm, from the facts of its conversion."""
    spacing_mm, slices = facts["spacing_xyz_mm"], facts["size_xyz"][2]
    return {
        "pixel_spacing_mm": spacing_mm[0],
        "slice_spacing_mm": spacing_mm[2],
        "length_mm": round(slices * spacing_mm[2], 2),
    }


def ranges(scans: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Smallest and largest value of each of `measures_of` over some scans: {name: [smallest, largest]}."""
    measured = [measures_of(facts) for facts in scans]
    return {name: [min(each[name] for each in measured), max(each[name] for each in measured)] for name in MEASURES}


def quality_flags(
    facts: Mapping[str, Any], card: ModelCard, lungs: Mapping[str, Any] | None, components: Sequence[Mapping[str, Any]]
) -> list[Flag]:
    """Flags of a scan and its segmentation, each of one of `KINDS`; an empty list for most scans.

    `facts` are the facts of the scan's conversion, `lungs` the facts of the lung field if the model works inside the
    lungs, and `components` the rows of the table of components, with the number or the name of the class as `label`.
    """
    return [
        *_of_scan(facts),
        *_unlike_training(facts, card),
        *_coarse(facts, card),
        *(_lungs(lungs) if lungs and card.preparation.region == "lungs" else []),
        *_findings(components, card.labels),
    ]


def _of_scan(facts: Mapping[str, Any]) -> list[Flag]:
    """Flags for the warnings of the conversion; a warning of an unknown kind, from another version, has kind "scan"."""
    known = {flag.text: flag for flag in scan_flags(facts)}
    return [known.get(text, Flag("scan", {}, text)) for text in facts.get("warnings", [])]


def _unlike_training(facts: Mapping[str, Any], card: ModelCard) -> list[Flag]:
    """Flags for measures outside the range of the training scans by more than `LEEWAY`."""
    found = []
    for name, value in measures_of(facts).items():
        if name in card.trained_on:
            low, high = card.trained_on[name]
            if not low * (1 - LEEWAY) - LEEWAY_MM <= value <= high * (1 + LEEWAY) + LEEWAY_MM:
                words = MEASURES[name].format(round(value, 2))
                text = f"{words}; the model was trained on {low:.2f} to {high:.2f} mm"
                values = {"value": round(value, 2), "low": round(low, 2), "high": round(high, 2)}
                found.append(Flag(f"unlike_training_{name}", values, text))
    return found


def _coarse(facts: Mapping[str, Any], card: ModelCard) -> list[Flag]:
    """Flag for voxels that are more than `COARSE` times as large as the model's along an axis."""
    pairs = zip("xyz", facts["spacing_xyz_mm"], card.preparation.spacing_xyz_mm, strict=True)
    axes = [axis for axis, scan_mm, model_mm in pairs if scan_mm > COARSE * model_mm + LEEWAY_MM]
    text = f"voxels are much coarser than the model's along {', '.join(axes)}"
    return [Flag("coarse_voxels", {"axes": axes}, text)] if axes else []


def _lungs(lungs: Mapping[str, Any]) -> list[Flag]:
    """Flags for a lung field that is not plausible, is cut by the scan, or differs between both methods."""
    if not lungs["plausible"]:
        text = f"the lung field is not plausible ({lungs['reason']}), so the whole scan was searched"
        values = {name: lungs.get(name) for name in ("volume_cm3", "mean_hu", "reason")}
        return [Flag("lung_field_not_plausible", values, text)]
    found, share, agreement = [], lungs["cut_fraction"], lungs.get("agreement")
    if share > CUT_LUNGS:
        found.append(Flag("lungs_cut", {"share": share}, "the scan cuts the lungs"))
    if agreement is not None and agreement < AGREEMENT:
        used = FIELD_USED[lungs["method"]]
        text = f"threshold and network find different lung fields (Dice {agreement}); {used}: look at the lungs"
        found.append(Flag("lung_fields_differ", {"dice": agreement, "method": lungs["method"]}, text))
    return found


def _findings(components: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> list[Flag]:
    """Flag if no component was found, else a flag for each class with uncertain components."""
    if not components:
        return [Flag("nothing_found", {"labels": list(labels)}, "nothing was found")]
    found = []
    for number, label in enumerate(labels, start=1):
        rows = [row for row in components if row["label"] in (number, label)]
        unsure = [int(row["component"]) for row in rows if _unsure(row)]
        if unsure:
            be, them = ("is", "it") if len(unsure) == 1 else ("are", "them")
            text = f"{len(unsure)} of {counted(len(rows), 'lesion')} ({label}) {be} uncertain; check {them}: "
            values = {"uncertain": len(unsure), "found": len(rows), "label": label, "numbers": unsure}
            found.append(Flag("uncertain_lesions", values, f"{text}{_numbers(unsure)}"))
    return found


def _unsure(row: Mapping[str, Any]) -> bool:
    """Whether the mean entropy of a component, rounded as in its table, exceeds `UNCERTAIN_BITS`."""
    bits = row.get("mean_entropy_bits")
    return bits is not None and round(bits, BITS_DIGITS) > UNCERTAIN_BITS


def _numbers(numbers: Sequence[int]) -> str:
    """Numbers of the first `MOST_NUMBERS` lesions, in words."""
    more = len(numbers) - MOST_NUMBERS
    first = [str(number) for number in numbers[:MOST_NUMBERS]]
    return f"number {', '.join(first)} and {more} more" if more > 0 else f"number {listed(first)}"
