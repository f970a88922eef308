"""Reading a folder of DICOM files as one volume in Hounsfield units, with facts on its acquisition."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctseg.dicom.label_reference import Reference, read_reference
from ctseg.dicom.series import Choice, choose_stack
from ctseg.dicom.slice import Slice, optional_number, rescaled
from ctseg.dicom.slice_views import view_of
from ctseg.dicom.stack import stack_volume
from ctseg.errors import ScanError
from ctseg.geometry.volume import Volume

HEAD = ("HEAD", "BRAIN", "SKULL", "FACE", "ORBIT", "SINUS", "JAW")
NO_CONTRAST = ("NO", "NONE", "N", "0", "WITHOUT", "OHNE", "NATIV", "NATIVE", "SANS", "NON")  # entries for no agent
NOT_HU = ("OD", "MGML", "Z_EFF", "ED", "EDW", "PCT")  # PS3.3 C.11.1.1.2: rescale types of CT other than HU


def read_dicom(
    folder: str | Path,
    series_uid: str | None = None,
    kernels: Iterable[str] = (),
    irregular: str = "refuse",
    rescale: Sequence[float] | None = None,
    label: str | Path | None = None,
) -> tuple[Volume, dict[str, Any]]:
    """Read the CT of a folder: int16 HU `[z, y, x]` and facts in plain JSON types that identify no person.

    The series with `series_uid` is taken, or the series of the stack that the file `label` names, or the best;
    `kernels` are the preferred kernels. The facts' `label_reference` is the relation of the label to this stack. Slices
    are sorted along their normal; a tilted gantry is sheared back to an orthogonal grid. Values below −1024 and pixel
    padding become −1024 (air). `rescale` is the slope and intercept for slices without a RescaleIntercept. Raises
    ScanError, with the file or folder in its message, if no regular stack is found: no CT, damaged files, missing
    slices (unless `irregular` is "resample"), different slices at one position, or slices without the RescaleIntercept
    that others have.
    """
    # For a label that cannot be read now, an empty reference records that it named nothing.
    reference = read_reference(label) or Reference() if label else None
    choice = choose_stack(folder, series_uid, kernels, reference)
    first = choice.stack.slices[0]
    if first.header.text("RescaleType").upper() in NOT_HU:
        raise ScanError(
            f"the series in {choice.folder} holds {first.header.text('RescaleType')}, not Hounsfield units: it was "
            "computed from a CT; give the CT itself"
        )
    choice, values = _with_rescaling(choice, rescale)
    volume, done = stack_volume(choice, irregular)
    done |= values | {"view": view_of(first.normal), "series": _series_facts(choice)}
    if reference:
        done["label_reference"] = reference.relation(choice.stack)
    return volume, _acquisition_facts(first) | done


def _with_rescaling(choice: Choice, rescale: Sequence[float] | None) -> tuple[Choice, dict[str, Any]]:
    """The choice with `rescale` for slices without a RescaleIntercept, and facts on these slices.

    Without `rescale` these slices get the intercept 0; raises ScanError if any other slice has values that are not HU
    as stored (slope 1, intercept 0).
    """
    slices = choice.stack.slices
    bare = [part for part in slices if not part.says_rescaling]
    others = Counter((part.slope, part.intercept) for part in slices if part.says_rescaling)
    if bare and rescale:
        stack = replace(
            choice.stack, slices=[part if part.says_rescaling else rescaled(part, *rescale) for part in slices]
        )
        return replace(choice, stack=stack), {"rescaled": list(rescale)}
    if set(others) - {(1.0, 0.0)} and bare:
        (slope, intercept), _ = others.most_common(1)[0]
        raise ScanError(
            f"{len(bare)} of the {len(slices)} slices in {choice.folder} have no RescaleIntercept, the first of them "
            f"{bare[0].path.name}, so their values are not Hounsfield units; copy the series again from its source, or "
            f"give the slope and intercept of the others: convert.rescale: [{slope:g}, {intercept:g}] "
            f"(--rescale {slope:g} {intercept:g} on the command line)"
        )
    return choice, {"rescale_missing": len(bare)}


def _series_facts(choice: Choice) -> dict[str, Any]:
    """Facts on the chosen stack, on the others with the reason against each, and on images left out of its series."""
    others = [stack.facts() | {"reason": reason} for stack, reason in choice.others]
    left_out = [{"images": lost.images, "reason": lost.reason} for lost in choice.left_out]
    chosen = choice.stack.facts()
    if choice.named:
        chosen["reason"] = f"the label names its {choice.named}"
    return {"chosen": chosen, "others": sorted(others, key=str), "left_out": left_out}


def _acquisition_facts(part: Slice) -> dict[str, Any]:
    """Facts on scanner and protocol from a fixed list of elements; no other element is passed on."""
    header = part.header
    return {
        "source_format": "DICOM",
        "modality": header.text("Modality"),
        "manufacturer": header.text("Manufacturer") or None,
        "model": header.text("ManufacturerModelName") or None,
        "kernel": " ".join(header.texts("ConvolutionKernel")) or None,
        "contrast": _contrast(header.text("ContrastBolusAgent")),
        "kvp": optional_number(header, "KVP"),
        "slice_thickness_mm": optional_number(header, "SliceThickness"),
        "patient_position": header.text("PatientPosition") or None,
        "image_type": header.texts("ImageType"),
        "head": any(word in header.text("BodyPartExamined").upper() for word in HEAD),
        "burned_in_annotation": {"YES": True, "NO": False}.get(header.text("BurnedInAnnotation")),
        "lossy_compression": {"01": True, "00": False}.get(header.text("LossyImageCompression")),
        "transfer_syntax": header.syntax.name if header.syntax else None,
        "padding_hu": list(part.padding_hu) if part.padding_hu else None,
    }


def _contrast(agent: str) -> bool | None:
    """Whether a contrast agent was given; None if the header does not say. The agent's name is not passed on."""
    return agent.upper() not in NO_CONTRAST if agent else None
