"""A look at a folder of data: which cases a study could take from it, with which labels, and why."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ctseg.errors import ConfigError, InputError
from ctseg.file_types import is_volume_file
from ctseg.labels.label_tables import names_in
from ctseg.plurals import counted
from ctseg.scans.read_scan import read_scan
from ctseg.scans.volume_files import read_volume_file
from ctseg.study.archives import archive_columns
from ctseg.study.guessed_patterns import CASE, Guess, Parts, guesses
from ctseg.study.look import Look, clean_name, name_labels, pattern, walk
from ctseg.study.look_at_dicom import look_at_dicom
from ctseg.study.nnunet_dataset import read_dataset, values_by_number

LOOKED_AT = 3  # label files that are opened for their values
MOST_GUESSES = 8  # patterns of which a file is opened


def look_at(folder: str, tell: Callable[[str], None]) -> Look:
    """What a folder holds; `tell` gets a sentence before what takes long.

    Raises ConfigError where there is nothing that ctseg reads.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ConfigError(f"{folder} is not a folder")
    look = _archive(folder, root) or _files(folder, root) or look_at_dicom(folder, root, tell)
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


def _files(folder: str, root: Path) -> Look | None:
    """Scans and labels in files of volumes, told apart by their values."""
    found = guesses(path for path in walk(root) if is_volume_file(path[-1]))
    scans: list[Guess] = []
    others: list[Guess] = []
    for guess in found[:MOST_GUESSES]:
        (scans if not guess.says_label and _is_scan(root, guess) else others).append(guess)
    if not scans:
        return None
    image = scans[0]
    look = Look({"source": "folder", "image": pattern(folder, image)}, scans=len(image.paths))
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
        name_labels(names, look)
    else:
        look.cases["label"] = pattern(folder, label)
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
        name_labels(list(named), look)
        look.labels = {clean_name(name): value or place for place, (name, value) in enumerate(named.items(), start=1)}
    else:
        many = len(values) > 1
        look.labels = {f"label_{value}" if many else "target": value for value in sorted(values)}
        look.reasons.append(f"labels: the first {counted(len(paths), 'label file')} hold {sorted(values)}; rename them")
