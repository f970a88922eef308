"""A look at a folder of data: which cases a study could take from it, with which labels, and why."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ctseg.dicom.header import Header, open_dicom
from ctseg.errors import ConfigError, InputError
from ctseg.file_types import is_volume_file
from ctseg.labels.label_tables import names_in
from ctseg.plurals import counted
from ctseg.scans.read_scan import read_scan
from ctseg.scans.volume_files import read_volume_file
from ctseg.study.archives import archive_columns
from ctseg.study.dicom_tree import cases_of
from ctseg.study.guessed_patterns import CASE, Guess, Parts, guesses
from ctseg.study.nnunet_dataset import read_dataset, values_by_number

MOST_FILES = 200_000  # that are listed
LOOKED_AT = 3  # label files that are opened for their values, and files of a folder from each end
MOST_GUESSES = 8  # patterns of which a file is opened
LABEL_MODALITIES = ("RTSTRUCT", "SEG")
LIKELY = re.compile(r"gtv|tumou?r|lesion|nodule|mass|cancer|met", re.IGNORECASE)


@dataclass
class Look:
    """What was found: the section `cases` of a config, the labels, their names in files, and why, a line each.

    `rows` are those of a case table, where no pattern fits all cases; its path is not in `cases` yet.
    """

    cases: dict[str, str]
    labels: dict[str, int] = field(default_factory=dict)
    names_in_files: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    in_lungs: bool = False
    scans: int = 0
    labelled: int = 0
    rows: list[dict[str, str]] = field(default_factory=list)


def look_at(folder: str, tell: Callable[[str], None]) -> Look:
    """What a folder holds; `tell` gets a sentence before what takes long.

    Raises ConfigError where there is nothing that ctseg reads.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ConfigError(f"{folder} is not a folder")
    look = _archive(folder, root) or _files(folder, root) or _dicom(folder, root, tell)
    if look is None:
        raise ConfigError(
            f"{folder} holds neither scans that ctseg reads (DICOM, NIfTI, NRRD, MetaImage) nor a data set in the "
            "layout of nnU-Net or the Decathlon"
        )
    return look


def _archive(folder: str, root: Path) -> Look | None:
    """A data set or public archive in its own layout."""
    names = {path.name for path in root.iterdir()}
    if "dataset.json" in names:
        name = str(root / "dataset.json")
        try:
            content = json.loads((root / "dataset.json").read_text(encoding="utf-8-sig"))
        except ValueError:
            raise ConfigError(f"{name} is damaged: it is no JSON") from None
        if "file_ending" in content:
            labels = values_by_number(read_dataset(root / "dataset.json", name), name)
            return _of_values("nnunet", folder, labels, "dataset.json has file_ending, as nnU-Net 2 writes it")
        if "training" in content and isinstance(content.get("labels"), dict):
            labels = {int(value): str(label) for value, label in content["labels"].items() if int(value)}
            return _of_values("msd", folder, labels, "dataset.json lists training cases, as the Decathlon's does")
    if "annotations.csv" in names and any(re.fullmatch(r"subset\d", name) for name in names):
        return _nodules("luna16", folder, "annotations.csv beside subset0 … is LUNA16")
    if any(re.fullmatch(r"LIDC-IDRI-\d{4}", name) for name in names):
        return _nodules("lidc", folder, "folders named LIDC-IDRI-0001 … are LIDC-IDRI")
    return None


def _of_values(source: str, folder: str, labels: Mapping[int, str], reason: str) -> Look:
    """A data set whose dataset.json names the values."""
    clean = {clean_name(name): value for value, name in sorted(labels.items())}
    look = Look({"source": source, "folder": folder}, clean, reasons=[reason, "the labels are those of dataset.json"])
    return _counted(look)


def _nodules(source: str, folder: str, reason: str) -> Look:
    """An archive of lung nodules."""
    return _counted(Look({"source": source, "folder": folder}, {"nodule": 1}, reasons=[reason], in_lungs=True))


def _counted(look: Look) -> Look:
    """With the number of its cases, as the workflow finds them."""
    rows = archive_columns(look.cases["source"], look.cases["folder"], ".", look.labels)
    look.scans, look.labelled = len(rows), sum("label" in row for row in rows)
    return look


def _walk(root: Path) -> Iterator[Parts]:
    """The parts of the path of each file below a folder, without hidden ones."""
    listed = 0
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            listed += 1
            if listed > MOST_FILES:
                return
            yield (*Path(place).relative_to(root).parts, name)


def _files(folder: str, root: Path) -> Look | None:
    """Scans and labels in files of volumes, told apart by their values."""
    found = guesses(path for path in _walk(root) if is_volume_file(path[-1]))
    scans: list[Guess] = []
    others: list[Guess] = []
    for guess in found[:MOST_GUESSES]:
        (scans if not guess.says_label and _is_scan(root, guess) else others).append(guess)
    if not scans:
        return None
    image = scans[0]
    look = Look({"source": "folder", "image": _pattern(folder, image)}, scans=len(image.paths))
    look.reasons.append(f"image: {counted(len(image.paths), 'file')}, the first of which holds Hounsfield units")
    look.reasons += [f"not used: {guess.text} ({counted(len(guess.paths), 'scan')})" for guess in scans[1:]]
    fitting = [guess for guess in others if guess.paths.keys() & image.paths.keys()]
    fitting.sort(key=lambda guess: -len(guess.paths.keys() & image.paths.keys()))
    if not fitting:
        look.reasons.append("label: no file with the name of a case holds labels")
        return look
    _take_label(folder, root, image, fitting, look)
    return look


def _take_label(folder: str, root: Path, image: Guess, fitting: Sequence[Guess], look: Look) -> None:
    """Add the labels: of a file, or of a folder with a file for each label."""
    label = fitting[0]
    together = [guess for guess in fitting if guess.parts[:-1] == label.parts[:-1]]
    cases = sorted(label.paths.keys() & image.paths.keys())
    if len(together) > 1 and label.parts[:-1] != image.parts[:-1] and CASE in "/".join(label.parts[:-1]):
        look.cases["label"] = str(Path(folder, *label.parts[:-1]))
        names = [guess.parts[-1].partition(".")[0] for guess in together]
        look.reasons.append(f"label: a folder with {len(names)} files, each a structure: {', '.join(names)}")
        _name_labels(names, look)
    else:
        look.cases["label"] = _pattern(folder, label)
        look.reasons.append(f"label: {counted(len(cases), 'file')} with whole numbers beside the scans")
        look.reasons += [f"not used: {guess.text} ({counted(len(guess.paths), 'label')})" for guess in fitting[1:]]
        _read_values(root, [label.paths[case] for case in cases[:LOOKED_AT]], look)
    look.labelled = len(cases)


def _is_scan(root: Path, guess: Guess) -> bool:
    """Whether the first file of a pattern holds the values of a CT."""
    try:
        read_scan(root.joinpath(*next(iter(guess.paths.values()))))
    except InputError:
        return False
    return True


def _read_values(root: Path, paths: Sequence[Parts], look: Look) -> None:
    """The values of a few label files, with the names that the files give them."""
    named: dict[str, int] = {}
    values: set[int] = set()
    for path in (root.joinpath(*parts) for parts in paths):
        named |= {structure.name: structure.value for structure in names_in(path)}
        values |= {int(value) for value in np.unique(read_volume_file(path).voxels_zyx) if value > 0}
    if named:
        look.reasons.append(f"the label files name {', '.join(named)}")
        _name_labels(list(named), look)
        look.labels = {clean_name(name): value or place for place, (name, value) in enumerate(named.items(), start=1)}
    else:
        many = len(values) > 1
        look.labels = {f"label_{value}" if many else "target": value for value in sorted(values)}
        look.reasons.append(f"labels: the first {counted(len(paths), 'label file')} hold {sorted(values)}; rename them")


def _name_labels(names: Sequence[str], look: Look) -> None:
    """Take structures by their names."""
    for place, name in enumerate(names, start=1):
        look.labels[clean_name(name)] = place
        if clean_name(name) != name:
            look.names_in_files[clean_name(name)] = name


def clean_name(name: str) -> str:
    """A name that a label may have in the config."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_")[:60] or "label"


def _pattern(folder: str, guess: Guess) -> str:
    """The pattern as it stands in a config."""
    return str(Path(folder, *guess.parts))


def _dicom(folder: str, root: Path, tell: Callable[[str], None]) -> Look | None:
    """Series of slices, with RTSTRUCT or SEG: in folders that a pattern fits, or else in a table of all of them."""
    files = list(_walk(root))
    kinds = {path: _modalities(root.joinpath(*path)) for path in sorted({file[:-1] for file in files})}
    look = _dicom_folders(folder, root, kinds)
    if look is None and any(sum(kind.values()) for kind in kinds.values()):
        tell(f"no pattern fits all folders: reading the headers of {counted(len(files), 'file')}")
        look = _dicom_table(root, [root.joinpath(*file) for file in files])
    return look


def _dicom_folders(folder: str, root: Path, kinds: Mapping[Parts, Counter[str]]) -> Look | None:
    """Series in folders of their own that one pattern fits, as another fits their labels; None if that is not so."""
    scans = [path for path, kind in kinds.items() if kind["CT"]]
    counts = {path: sum(kind[name] for name in LABEL_MODALITIES) for path, kind in kinds.items()}
    labels = [path for path, count in counts.items() if count]
    if not scans or () in scans or max(counts.values()) > 1:
        return None
    image = guesses(scans, folders=True)[0]
    if len(image.paths) < len(scans):
        return None
    look = Look({"source": "folder", "image": _pattern(folder, image)}, scans=len(image.paths))
    look.reasons.append(f"image: {counted(len(image.paths), 'folder')} with CT slices")
    if labels:
        label = guesses(labels, folders=True)[0]
        look.labelled = len(label.paths.keys() & image.paths.keys())
        if look.labelled < len(labels):
            return None
        look.cases["label"] = _pattern(folder, label)
        count = counted(len(label.paths), "folder")
        paths = [path for parts in label.paths.values() for path in sorted(root.joinpath(*parts).iterdir())]
        _take_structure(paths, f"label: {count} with RTSTRUCT or SEG", look)
    return look


def _dicom_table(root: Path, files: Sequence[Path]) -> Look | None:
    """A row for each case, by what the headers of all files say."""
    found = cases_of(root, files)
    if not found.rows:
        return None
    look = Look({"source": "table"}, scans=len(found.rows), rows=found.rows)
    look.reasons.append(f"table: {len(found.rows)} CT series, by their headers, since no pattern fits all")
    labels = [Path(row["label"]) for row in found.rows if "label" in row]
    look.labelled = len(labels)
    if labels:
        _take_structure(labels, f"label: {counted(len(labels), 'RTSTRUCT or SEG file')} of these series", look)
    look.reasons += found.reasons
    return look


def _take_structure(paths: Sequence[Path], what: str, look: Look) -> None:
    """Take one of the structures that are in the label files among `paths`, and tell of all."""
    often = _structures(paths)
    look.reasons.append(f"{what}; their structures: {', '.join(often) or 'none'}")
    likely = [name for name in often if LIKELY.search(name)] or list(often)[:1]
    _name_labels(likely[:1], look)
    look.reasons.append(f"labels: {likely[0]} is taken; name others in target.labels" if likely else "no structure")


def _modalities(folder: Path) -> Counter[str]:
    """The modalities of some files of a folder."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    some = files if len(files) <= 4 * LOOKED_AT else files[:LOOKED_AT] + files[-LOOKED_AT:]
    return Counter(header.text("Modality") for header in map(_header, some) if header)


def _header(path: Path) -> Header | None:
    """The header of a DICOM file, None of another or a damaged one."""
    try:
        return None if is_volume_file(path) else open_dicom(path)
    except InputError:
        return None


def _structures(paths: Sequence[Path]) -> list[str]:
    """The names of the structures in the first label files among some files, the most frequent first."""
    found: Counter[str] = Counter()
    opened = 0
    for path in paths:
        header = _header(path) if path.is_file() else None
        if header and header.text("Modality") in LABEL_MODALITIES:
            opened += 1
            for sequence, keyword in (("StructureSetROISequence", "ROIName"), ("SegmentSequence", "SegmentLabel")):
                found.update({str(item.get(keyword, "")) for item in header.dataset.get(sequence) or []})
        if opened == 10 * LOOKED_AT:
            break
    return [name for name, _ in found.most_common() if name]
