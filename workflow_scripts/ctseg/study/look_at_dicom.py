"""A look at a folder of DICOM files: a pattern where one fits all of it, else a table by what the headers say."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ctseg.dicom.header import Header, open_dicom
from ctseg.dicom.label_reference import KINDS
from ctseg.errors import InputError
from ctseg.file_types import is_volume_file
from ctseg.plurals import counted
from ctseg.study.dicom_tree import cases_of
from ctseg.study.guessed_patterns import Parts, guesses
from ctseg.study.look import Look, name_labels, pattern, walk
from ctseg.study.look_at_masks import take_masks, volume_guesses

MOST_OPENED = 30  # label files whose structures are listed
ENDS = 3  # files of a folder's beginning and end that tell what it holds
LIKELY = re.compile(r"gtv|tumou?r|lesion|nodule|mass|cancer|met", re.IGNORECASE)


def look_at_dicom(folder: str, root: Path, tell: Callable[[str], None]) -> Look | None:
    """Series of slices, with RTSTRUCT or SEG: in folders that a pattern fits, or else in a table of all of them."""
    files = list(walk(root))
    kinds = modalities(root, files)
    look = _dicom_folders(folder, root, kinds)
    if not any(sum(kind.values()) for kind in kinds.values()) or (look and look.labelled):
        return look
    # Contours may also stand among the slices, where the first and last files of a folder do not show them.
    why = "no label is in a folder of its own" if look else "no pattern fits all folders"
    tell(f"{why}: reading the headers of {counted(len(files), 'file')}")
    table = _dicom_table(root, [root.joinpath(*file) for file in files])
    return table if look is None or (table and table.labelled) else look


def _dicom_folders(folder: str, root: Path, kinds: Mapping[Parts, Counter[str]]) -> Look | None:
    """Series in folders of their own that one pattern fits, as another fits their labels; None if that is not so."""
    scans = [path for path, kind in kinds.items() if kind["CT"]]
    counts = {path: sum(kind[name] for name in KINDS) for path, kind in kinds.items()}
    labels = [path for path, count in counts.items() if count]
    if not scans or () in scans or max(counts.values()) > 1:
        return None
    image = guesses(scans, folders=True)[0]
    if len(image.paths) < len(scans):
        return None
    look = Look({"source": "folder", "image": pattern(folder, image)}, scans=len(image.paths))
    look.reasons.append(f"image: {counted(len(image.paths), 'folder')} with CT slices")
    if labels:
        label = guesses(labels, folders=True)[0]
        look.labelled = len(label.paths.keys() & image.paths.keys())
        if look.labelled < len(labels):
            return None
        look.cases["label"] = pattern(folder, label)
        count = counted(len(label.paths), "folder")
        paths = [path for parts in label.paths.values() for path in sorted(root.joinpath(*parts).iterdir())]
        _take_structure(paths, f"label: {count} with RTSTRUCT or SEG", look)
    else:
        take_masks(folder, root, image, volume_guesses(root)[1], look)
    return look


def _dicom_table(root: Path, files: Sequence[Path]) -> Look | None:
    """A row for each case, by what the headers of all files say."""
    found = cases_of(root, files)
    if not found.rows:
        return None
    look = Look({"source": "table"}, scans=len(found.rows), rows=found.rows)
    look.reasons.append(f"table: {len(found.rows)} CT series, by their headers, since no pattern fits")
    labels = [Path(row["label"]) for row in found.rows if "label" in row]
    look.labelled = len(labels)
    if labels:
        _take_structure(labels, f"label: {counted(len(labels), 'RTSTRUCT or SEG file')} of these series", look)
    look.reasons += found.reasons
    return look


def _take_structure(paths: Sequence[Path], what: str, look: Look) -> None:
    """Take one of the structures that are in the label files among `paths`, and tell of all."""
    often, opened = _structures(paths)
    told = ", ".join(f"{name} ({count} of {opened})" for name, count in often.items())
    look.reasons.append(f"{what}; their structures: {told or 'none'}")
    likely = [name for name in often if LIKELY.search(name)] or list(often)[:1]
    name_labels(likely[:1], look)
    look.reasons.append(f"labels: {likely[0]} is taken; name others in target.labels" if likely else "no structure")


def modalities(root: Path, files: Iterable[Parts]) -> dict[Parts, Counter[str]]:
    """The modalities of some files of each folder below `root` that holds any of `files`."""
    return {path: _modalities(root.joinpath(*path)) for path in sorted({file[:-1] for file in files})}


def _modalities(folder: Path) -> Counter[str]:
    """The modalities of some files of a folder."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    some = files if len(files) <= 4 * ENDS else files[:ENDS] + files[-ENDS:]
    return Counter(header.text("Modality") for header in map(_header, some) if header)


def _header(path: Path) -> Header | None:
    """The header of a DICOM file, None of another or a damaged one."""
    try:
        return None if is_volume_file(path) else open_dicom(path)
    except InputError:
        return None


def _structures(paths: Sequence[Path]) -> tuple[dict[str, int], int]:
    """In how many of the first label files each structure is, the most frequent first; and how many these are."""
    found: Counter[str] = Counter()
    opened = 0
    for path in paths:
        header = _header(path) if path.is_file() else None
        if header and header.text("Modality") in KINDS:
            opened += 1
            for sequence, keyword in (("StructureSetROISequence", "ROIName"), ("SegmentSequence", "SegmentLabel")):
                found.update({str(item.get(keyword, "")) for item in header.dataset.get(sequence) or []})
        if opened == MOST_OPENED:
            break
    by_count = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return {name: count for name, count in by_count if name}, opened
