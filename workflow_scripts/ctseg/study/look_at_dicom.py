"""Findings in a folder of DICOM files: a pattern if one fits all folders, else a case table made from the headers."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ctseg.dicom.header import Header, open_dicom
from ctseg.dicom.label_reference import KINDS
from ctseg.errors import InputError
from ctseg.file_types import is_volume_file
from ctseg.folders import visible_paths
from ctseg.plurals import counted
from ctseg.study.dicom_tree import cases_of
from ctseg.study.guessed_patterns import Parts, guesses
from ctseg.study.look import Look, name_labels, pattern, walk
from ctseg.study.look_at_masks import take_masks, volume_guesses

MOST_OPENED = 30  # label files that are opened to list their structures
ENDS = 3  # files at each end of a folder's list that are read to find its modalities
LIKELY = re.compile(r"gtv|tumou?r|lesion|nodule|mass|cancer|met", re.IGNORECASE)


def look_at_dicom(folder: str, root: Path, tell: Callable[[str], None]) -> Look | None:
    """Findings for series with RTSTRUCT or SEG: a pattern for their folders, or a table; None if no series is found."""
    files = list(walk(root))
    kinds = modalities(root, files)
    look = _dicom_folders(folder, root, kinds)
    if not any(sum(kind.values()) for kind in kinds.values()) or (look and look.labelled):
        return look
    # Contours may also be among the slices, and then the first and last files of a folder do not show them.
    why = "no label is in a folder of its own" if look else "no pattern fits all folders"
    tell(f"{why}: reading the headers of {counted(len(files), 'file')}")
    table = _dicom_table(root, [root.joinpath(*file) for file in files])
    return table if look is None or (table and table.labelled) else look


def _dicom_folders(folder: str, root: Path, kinds: Mapping[Parts, Counter[str]]) -> Look | None:
    """Findings if one pattern fits all folders of series, and another all folders of labels; else None."""
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
        paths = [path for parts in label.paths.values() for path in visible_paths(root.joinpath(*parts))]
        _take_structure(paths, f"label: {count} with RTSTRUCT or SEG", look)
    else:
        take_masks(folder, root, image, volume_guesses(root)[1], look)
    return look


def _dicom_table(root: Path, files: Sequence[Path]) -> Look | None:
    """Findings with a table row for each case, made from the headers of all files; None without cases."""
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
    """Add one structure of the label files among `paths` as label, and list all structures in the reasons."""
    often, opened = _structures(paths)
    told = ", ".join(f"{name} ({count} of {opened})" for name, count in often.items())
    look.reasons.append(f"{what}; their structures: {told or 'none'}")
    likely = [name for name in often if LIKELY.search(name)] or list(often)[:1]
    name_labels(likely[:1], look)
    look.reasons.append(f"labels: {likely[0]} is taken; name others in target.labels" if likely else "no structure")


def modalities(root: Path, files: Iterable[Parts]) -> dict[Parts, Counter[str]]:
    """Number of files per modality in each folder of `files` below `root`, counted in some files of the folder."""
    return {path: _modalities(root.joinpath(*path)) for path in sorted({file[:-1] for file in files})}


def _modalities(folder: Path) -> Counter[str]:
    """Number of files per modality, in all files of a small folder, or in the first and last `ENDS` of a large one."""
    files = [path for path in visible_paths(folder) if path.is_file()]
    some = files if len(files) <= 4 * ENDS else files[:ENDS] + files[-ENDS:]
    return Counter(header.text("Modality") for header in map(_header, some) if header)


def _header(path: Path) -> Header | None:
    """The header of a DICOM file; None for another file or a damaged one."""
    try:
        return None if is_volume_file(path) else open_dicom(path)
    except InputError:
        return None


def _structures(paths: Sequence[Path]) -> tuple[dict[str, int], int]:
    """Number of label files with each structure, the most frequent first, and the number of label files opened."""
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
