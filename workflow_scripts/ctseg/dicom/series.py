"""The choice of the scan among the stacks of a folder, with the reason against each other stack."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ctseg.dicom.alike import same_axes, same_size, turned_deg
from ctseg.dicom.grouping import DAMAGED, ODD_SHARE, Stack, find_stacks
from ctseg.dicom.header import empty_files
from ctseg.dicom.label_reference import Reference
from ctseg.dicom.slice_views import view_of
from ctseg.errors import ScanError
from ctseg.folders import walk_files

PIECE = 0.2  # of the longest stack's length; a shorter stack of any image type is only a piece of the patient
WIDE_ENOUGH = 0.75  # of the longest stack's length; a shorter stack is part of a scan, not the scan
ONE_VIEW_COSINE = 0.94  # planes tilted by less than 20° against each other show the same view of the patient


@dataclass(frozen=True)
class LeftOut:
    """Images of the chosen series that are not in its volume: their number, the reason, and the fault of a file if any.

    `alternative` is true for images that are a volume of their own, for example another acquisition.
    """

    images: int
    reason: str
    fault: str = ""
    alternative: bool = False


@dataclass(frozen=True)
class Choice:
    """The chosen stack of a folder, each other stack with the reason against it, and images left out of its series.

    `named` is the kind of name in the case's label that selected the stack: "series", "frame of reference" or
    "patient"; it is empty if none did.
    """

    folder: Path
    stack: Stack
    others: list[tuple[Stack, str]]
    left_out: list[LeftOut] = field(default_factory=list)
    named: str = ""


def choose_stack(
    folder: str | Path,
    series_uid: str | None = None,
    kernels: Iterable[str] = (),
    reference: Reference | None = None,
) -> Choice:
    """Choose the scan of a folder: from the requested series, else from the stacks that the label names, else from all.

    The criteria in their order: no small piece, axial before other views, original before derived images, primary
    before secondary and reformats, long before short, the kernels in the order of `kernels` (patterns with `*`), small
    slice distances before large ones, many slices before few. Raises ScanError if no stack can be a volume, the
    requested series is missing, the remaining stacks are of several patients, slices of the chosen series are turned
    against each other, or too many of its files are empty.
    """
    root = Path(folder)
    stacks = find_stacks(root)
    candidates = [stack for stack in stacks if series_uid in (None, "", stack.series_uid)]
    if series_uid and not candidates:
        n_series = len({stack.series_uid for stack in stacks if stack.slices})
        raise ScanError(
            f"the series with the given series_uid is not among the {n_series} CT series of {root}; "
            "correct the series_uid, or leave it out to take the best one"
        )
    usable = [stack for stack in candidates if not stack.problem]
    if not usable:
        raise ScanError(_why_none(root, candidates))
    meant, named = reference.narrowed(usable) if reference and not series_uid else (usable, "")
    n_patients = len({stack.patient for stack in meant} - {""})
    if n_patients > 1:
        raise ScanError(
            f"{root} holds CT series of {n_patients} patients, so the choice is unclear; give the folder "
            "of one patient, or the series_uid of a series"
        )
    chosen, passed_over = _best(meant, tuple(kernels))
    passed_over += [(stack, f"the label names another {named}") for stack in usable if stack not in meant]
    passed_over += [(stack, stack.problem) for stack in candidates if stack.problem]
    passed_over += [(stack, "another series is requested") for stack in stacks if stack not in candidates]
    return replace(_checked(root, chosen, passed_over), named=named)


def is_axial(stack: Stack) -> bool:
    """Whether the slices are axial; those of a tilted gantry are."""
    return view_of(stack.slices[0].normal) == "axial"


def _checked(root: Path, chosen: Stack, others: list[tuple[Stack, str]]) -> Choice:
    """The choice with the images left out of its series. Raises ScanError for turned slices and many empty files."""
    explained, left_out = [], []
    for stack, reason in others:
        if stack.series_uid == chosen.series_uid and not stack.headers[0].not_a_slice:
            lost = _left_out(stack, chosen)
            _refuse_turned(root, stack, chosen)
            left_out.append(lost)
            reason = f"left out of the chosen series: {lost.reason}"
        explained.append((stack, reason))
    empty = empty_files({header.path.parent for header in chosen.headers})
    if len(empty) > ODD_SHARE * len(chosen.slices):
        raise ScanError(f"{empty[0]} is empty, as {len(empty)} of the files in {root} are; copy the series again")
    if empty:
        left_out.append(LeftOut(len(empty), "a file of 0 bytes", f"{empty[0].name} is empty"))
    return Choice(root, chosen, explained, sorted(left_out, key=lambda lost: (lost.reason, lost.images)))


def _left_out(stack: Stack, chosen: Stack) -> LeftOut:
    """The images of a stack of the chosen series, with the reason why they are not in its volume."""
    count, first = len(stack.headers), chosen.slices[0]
    if not stack.slices:
        return LeftOut(count, f"{DAMAGED}, as without a position", stack.fault)
    if not same_size(stack.slices[0], first):
        rows, columns = stack.slices[0].shape_yx
        x_mm, y_mm = stack.slices[0].spacing_xy_mm
        size = f"another size, {columns} x {rows} pixels of {x_mm:g} x {y_mm:g} mm"
        return LeftOut(count, size, f"{stack.slices[0].path.name} has {size}", _other_volume(stack, chosen))
    if not same_axes(stack.slices[0], first):
        turned = f"turned by {turned_deg(stack.slices[0], first):.2g}° against those that were taken"
        return LeftOut(count, turned, f"{stack.slices[0].path.name} is {turned}", _other_volume(stack, chosen))
    return LeftOut(count, stack.part, alternative=True)


def _other_view(stack: Stack, chosen: Stack) -> bool:
    """Whether a stack shows another view of the patient than the chosen one, for example coronal planes."""
    return abs(float(stack.slices[0].normal @ chosen.slices[0].normal)) < ONE_VIEW_COSINE


def _other_volume(stack: Stack, chosen: Stack) -> bool:
    """Whether a stack is a volume of its own that shows another view of the patient."""
    return not stack.problem and _other_view(stack, chosen)


def _refuse_turned(root: Path, stack: Stack, chosen: Stack) -> None:
    """Raise ScanError if many slices of a stack are turned, but in the same view, and are between the chosen slices."""
    if not stack.slices or same_axes(stack.slices[0], chosen.slices[0]):
        return
    depths_mm = np.array([item.position_xyz_mm for item in stack.slices]) @ chosen.slices[0].normal
    inside = (depths_mm > chosen.depths_mm.min()) & (depths_mm < chosen.depths_mm.max())
    if not _other_view(stack, chosen) and inside.sum() > ODD_SHARE * len(chosen.slices):
        angle = turned_deg(stack.slices[0], chosen.slices[0])
        count, first = len(stack.slices), stack.slices[0].path.name
        raise ScanError(
            f"the slices of one series in {root} have different orientations: {count} of {count + len(chosen.slices)} "
            f"are turned by {angle:.2g}° against the others, between which they lie, as {first} against "
            f"{chosen.slices[0].path.name}: they are not one volume; give a folder with only one of the two"
        )


def _best(stacks: list[Stack], kernels: tuple[str, ...]) -> tuple[Stack, list[tuple[Stack, str]]]:
    """Drop stacks by one criterion after the other until one is left; returns it, and the others with the reason."""
    longest_mm = max(stack.length_mm for stack in stacks)
    criteria: list[tuple[str, Callable[[Stack], float]]] = [
        ("shorter", lambda stack: stack.length_mm >= PIECE * longest_mm),
        ("not axial", is_axial),
        ("not an original image", lambda stack: "ORIGINAL" in stack.image_type),
        ("a secondary image", lambda stack: "SECONDARY" not in stack.image_type),
        ("a reformat", lambda stack: not {"REFORMATTED", "MPR"} & set(stack.image_type)),
        ("shorter", lambda stack: stack.length_mm >= WIDE_ENOUGH * longest_mm),
        ("not a preferred kernel", lambda stack: -_kernel_rank(stack, kernels)),
        ("thicker slices", lambda stack: -(stack.facts()["slice_distance_mm"] or np.inf)),
        ("fewer slices", lambda stack: len(stack.slices)),
        ("equal to the chosen one", lambda stack: -stacks.index(stack)),
    ]
    left, dropped = list(stacks), []
    for reason, value in criteria:
        best = max(value(stack) for stack in left)
        dropped += [(stack, reason) for stack in left if value(stack) < best]
        left = [stack for stack in left if value(stack) == best]
    return left[0], dropped


def _kernel_rank(stack: Stack, kernels: tuple[str, ...]) -> int:
    """The index of the stack's kernel among the preferred ones; their number if it is none of them."""
    kernel = (stack.facts()["kernel"] or "").lower()
    return next((rank for rank, wanted in enumerate(kernels) if fnmatch(kernel, wanted.lower())), len(kernels))


def _why_none(root: Path, stacks: list[Stack]) -> str:
    """The reason why a folder has no scan: the fault of its largest stack of slices, or its other content."""
    faulty = [stack for stack in stacks if not stack.headers[0].not_a_slice and len(stack.headers) > 1]
    if faulty:
        return f"the CT series in {root} cannot be used: {max(faulty, key=lambda stack: len(stack.headers)).fault}"
    counts: dict[str, int] = defaultdict(int)
    for stack in stacks:
        modality = stack.headers[0].text("Modality")
        counts[f"CT ({stack.problem})" if modality == "CT" else modality] += len(stack.headers)
    folders = {path.parent for path in walk_files(root)}
    if n_empty := len(empty_files(folders)):
        counts["files of 0 bytes"] = n_empty
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    what = f"found {found}" if found else "there is no DICOM file in it"
    return f"{root} holds no CT series of several slices: {what}"
