"""Warnings on a scan for the user, as sentences: the same for all formats.

No sentence names a file, because a file's name can identify the patient.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ctseg.plurals import counted
from ctseg.scans.flag import Flag

RESCALE = "convert.rescale: [1, {0}] (--rescale 1 {0} on the command line, ?rescale=1,{0} for the service)"
KNOWN = {
    "qform_off_mm": "sform and qform of the file disagree by {} mm at a corner; the sform was taken",
    "no_orientation": "the file does not state its orientation (sform and qform have the code 0), and "
    "programs interpret this differently: its axes were taken to point to the left, the front and the head",
    "no_patient_space": "the file does not state its orientation in the patient, and programs interpret this "
    "differently: its coordinates were taken to grow to the left, the back and the head",
    "burned_in_annotation": "text is burned into the pixels, which may name the patient",
    "head": "the scan shows a head: a face can be rebuilt from it, so it is not anonymous",
    "lossy_compression": "the slices were compressed with loss: HU are not exact",
    "tilt_deg": "the gantry was tilted by {}°: its shear was removed, so voxels are interpolated",
    "slices_shifted_mm": "slices lie up to {} mm beside the line through the first and the last one: they were shifted "
    "into one column, so voxels are interpolated",
    "gaps": "slices were missing or unevenly spaced: voxels are interpolated, labels are not; see `gaps`",
    "rescale_missing": "no slice has a RescaleIntercept, which CT must have: the stored values were taken as HU",
}
KINDS = (*KNOWN, "images_left_out", "not_axial", "hu_offset", "above_tissue", "windowed", "jumps")


def warnings_of(facts: Mapping[str, Any]) -> list[str]:
    """Sentences from a scan's facts that a user should know before trusting the scan."""
    return [flag.text for flag in scan_flags(facts)]


def scan_flags(facts: Mapping[str, Any]) -> list[Flag]:
    """Flags for the sentences of `warnings_of`, each with its kind from `KINDS`."""
    told = [Flag(key, {"value": facts[key]}, text.format(facts[key])) for key, text in KNOWN.items() if facts.get(key)]
    for one in facts.get("series", {}).get("left_out", []):
        text = f"{counted(one['images'], 'image')} of the series left out: {one['reason']}"
        told.append(Flag("images_left_out", {"images": one["images"], "reason": one["reason"]}, text))
    if (view := facts.get("view")) not in (None, "axial"):
        text = f"the slices are not axial but {view}: make sure that this is the scan, not a reformat"
        told.append(Flag("not_axial", {"view": view}, text))
    return told + _about_values(facts)


def _about_values(facts: Mapping[str, Any]) -> list[Flag]:
    """Flags for values that contradict Hounsfield units."""
    told = []
    if offset := facts.get("hu_offset"):
        text = (
            f"the values are not Hounsfield units: soft tissue lies near {offset + 30}, about {abs(offset)} too "
            f"{'high' if offset > 0 else 'low'}; give "
            f"{RESCALE.format(-offset)}"
        )
        told.append(Flag("hu_offset", {"offset": offset}, text))
    if share := facts.get("above_tissue"):
        text = (
            f"{share:.1%} of the voxels lie above 3071 HU, which is not tissue and rarely so much metal: probably "
            "unmarked padding; mark it by PixelPaddingValue, or set it to -1024"
        )
        told.append(Flag("above_tissue", {"share": share}, text))
    if window := facts.get("windowed"):
        ends = " and ".join(f"{window[end]}" for end in ("low", "high") if window[end] is not None)
        text = (
            f"the values end at {ends} HU, with {window['share']:.1%} of the voxels there: the scan was windowed; give "
            "the original scan"
        )
        told.append(Flag("windowed", window, text))
    if jumps := facts.get("jumps"):
        text = f"the values of whole slices jump by about {jumps[0]['hu']} HU, after slice {_listed(jumps)}"
        told.append(Flag("jumps", {"hu": jumps[0]["hu"], "after_slices": [one["after_slice"] for one in jumps]}, text))
    return told


def _listed(jumps: Sequence[Mapping[str, int]]) -> str:
    """The slices before the first four jumps, and the number of further jumps, as text."""
    more = f" and {len(jumps) - 4} more" if len(jumps) > 4 else ""
    return ", ".join(str(jump["after_slice"]) for jump in jumps[:4]) + more


def passed_over(facts: Mapping[str, Any]) -> list[str]:
    """A line for each stack of images that was found with the scan and not used, with the reason."""
    others = facts.get("series", {}).get("others", [])
    return [f"not used: {other['images']} x {other['modality']}: {other['reason']}" for other in others]
