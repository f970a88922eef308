"""Findings in a folder of data: the cases and labels that a study could use, with reasons."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ctseg.errors import ConfigError
from ctseg.plurals import counted
from ctseg.study.archives import archive_columns
from ctseg.study.look import Look, name_labels, pattern, require_utf8, walk
from ctseg.study.look_at_dicom import look_at_dicom, modalities
from ctseg.study.look_at_masks import take_masks, volume_guesses
from ctseg.study.nnunet_dataset import read_dataset, values_by_number


def look_at(folder: str, tell: Callable[[str], None]) -> Look:
    """Findings in a folder of data; `tell` is called with a sentence before a slow step.

    Raises ConfigError if the folder contains no data that ctseg reads, or has names that are not UTF-8.
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
    """Findings for a data set or public archive in a known layout; None for another folder."""
    names = {path.name for path in root.iterdir()}
    if "dataset.json" in names:
        name = str(root / "dataset.json")
        try:
            content = json.loads((root / "dataset.json").read_text(encoding="utf-8-sig"))
        except ValueError:
            raise ConfigError(f"{name} is damaged: it is no JSON") from None
        if not isinstance(content, dict):
            return None
        if "file_ending" in content:
            labels = values_by_number(read_dataset(root / "dataset.json", name), name)
            return _of_values("nnunet", folder, labels, "dataset.json has file_ending, as nnU-Net 2 writes it")
        if "training" in content and _by_number(content.get("labels")):
            labels = {int(value): str(label) for value, label in content["labels"].items() if int(value)}
            return _of_values("msd", folder, labels, "dataset.json lists training cases, as the Decathlon's does")
    if "annotations.csv" in names and any(re.fullmatch(r"subset\d", name) for name in names):
        return _nodules("luna16", folder, "annotations.csv beside subset0 … is LUNA16")
    if any(re.fullmatch(r"LIDC-IDRI-\d{4}", name) for name in names):
        return _nodules("lidc", folder, "folders named LIDC-IDRI-0001 … are LIDC-IDRI")
    return None


def _by_number(labels: Any) -> bool:
    """Whether labels are names by their values, as in the Decathlon; in nnU-Net 2 they are values by their names."""
    return isinstance(labels, dict) and all(str(value).isdecimal() for value in labels)


def _of_values(source: str, folder: str, labels: Mapping[int, str], reason: str) -> Look:
    """Findings for a data set with label values in its dataset.json."""
    look = Look({"source": source, "folder": folder}, reasons=[reason, "the labels are those of dataset.json"])
    values = sorted(labels)
    name_labels([labels[value] for value in values], look, values)
    return _counted(look)


def _nodules(source: str, folder: str, reason: str) -> Look:
    """Findings for an archive of lung nodules."""
    return _counted(Look({"source": source, "folder": folder}, {"nodule": 1}, reasons=[reason], in_lungs=True))


def _counted(look: Look) -> Look:
    """The findings with the numbers of scans and of labelled cases, counted as the workflow does."""
    rows = archive_columns(look.cases["source"], look.cases["folder"], ".", look.labels)
    for row in rows:
        require_utf8(row["image"])
    look.scans, look.labelled = len(rows), sum("label" in row for row in rows)
    return look


def _files(folder: str, root: Path) -> Look | None:
    """Findings for volume files, separated into scans and labels by name and voxel values; None without scans."""
    scans, others = volume_guesses(root)
    if not scans:
        return None
    image = scans[0]
    look = Look({"source": "folder", "image": pattern(folder, image)}, scans=len(image.paths))
    look.reasons.append(f"image: {counted(len(image.paths), 'file')}, the first of which holds Hounsfield units")
    look.reasons += [f"not used: {guess.text} ({counted(len(guess.paths), 'scan')})" for guess in scans[1:]]
    take_masks(folder, root, image, others, look)
    if passed_over := sum(bool(kind["CT"]) for kind in modalities(root, walk(root)).values()):
        look.reasons.append(f"not used: {counted(passed_over, 'folder')} with CT slices")
    return look
