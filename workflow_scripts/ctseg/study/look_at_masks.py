"""Scans, labels and label names found in the volume files of a folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ctseg.errors import InputError
from ctseg.file_types import NIFTI_SUFFIXES, SITK_SUFFIXES, is_volume_file
from ctseg.labels.label_tables import names_in
from ctseg.plurals import counted
from ctseg.scans.read_scan import read_scan
from ctseg.scans.volume_files import read_volume_file
from ctseg.study.guessed_patterns import CASE, Guess, Parts, guesses
from ctseg.study.look import Look, name_labels, pattern, walk

LOOKED_AT = 3  # label files that are opened to read their values
MOST_GUESSES = 8  # patterns whose first file is opened to see whether it is a scan
ALLOWED_VALUES = frozenset(range(1, 256))  # of labels, by the schema of the config


def volume_guesses(root: Path) -> tuple[list[Guess], list[Guess]]:
    """Patterns of files with scans, and patterns of other volume files, each by decreasing number of files.

    Of the patterns that are not opened, those are others that name labels or share the folder of a mask.
    """
    found = guesses(path for path in walk(root) if is_volume_file(path[-1]))
    opened = [guess for guess in found if not guess.says_label][:MOST_GUESSES]
    scans = [guess for guess in opened if _is_scan(root, guess)]
    masks = [guess for guess in found if guess not in scans and (guess.says_label or guess in opened)]
    folders = {guess.parts[:-1] for guess in masks} - {guess.parts[:-1] for guess in scans}
    return scans, [guess for guess in found if guess in masks or (guess not in scans and guess.parts[:-1] in folders)]


def take_masks(folder: str, root: Path, image: Guess, others: Sequence[Guess], look: Look) -> None:
    """Add labels from the pattern in `others` with files for most cases of `image`, or a reason if none has any."""
    fitting = [guess for guess in others if guess.paths.keys() & image.paths.keys()]
    fitting.sort(key=lambda guess: -len(guess.paths.keys() & image.paths.keys()))
    if fitting:
        _take(folder, root, image, fitting, look)
    else:
        look.reasons.append("label: no file with the name of a case holds labels")


def _take(folder: str, root: Path, image: Guess, fitting: Sequence[Guess], look: Look) -> None:
    """Add labels from one file per case, or from one folder per case with a file for each label."""
    label = fitting[0]
    together = [guess for guess in fitting if guess.parts[:-1] == label.parts[:-1]]
    cases = sorted(label.paths.keys() & image.paths.keys())
    if len(together) > 1 and label.parts[:-1] != image.parts[:-1] and CASE in "/".join(label.parts[:-1]):
        look.cases["label"] = str(Path(folder, *label.parts[:-1]))
        names = [_stem(guess.parts[-1]) for guess in together]
        look.reasons.append(f"label: a folder with {len(names)} files, each a structure: {', '.join(names)}")
        name_labels(names, look)
    else:
        look.cases["label"] = pattern(folder, label)
        look.reasons.append(f"label: {counted(len(cases), 'file')} with whole numbers beside the scans")
        look.reasons += [f"not used: {guess.text} ({counted(len(guess.paths), 'label')})" for guess in fitting[1:]]
        _read_values(root, [label.paths[case] for case in cases[:LOOKED_AT]], look)
    look.labelled = len(cases)


def _is_scan(root: Path, guess: Guess) -> bool:
    """Whether the first file of a pattern can be read as a CT scan."""
    try:
        read_scan(root.joinpath(*next(iter(guess.paths.values()))))
    except InputError:
        return False
    return True


def _read_values(root: Path, paths: Sequence[Parts], look: Look) -> None:
    """Set the labels from the names in a few label files, or from the values in these files if they have no names."""
    named: dict[str, int] = {}
    values: set[int] = set()
    for path in (root.joinpath(*parts) for parts in paths):
        names = {structure.name: structure.value for structure in names_in(path)}
        named |= names
        values |= set() if names else _whole_values(path)
    if named:
        look.reasons.append(f"the label files name {', '.join(named)}")
        own = list(named.values())  # not all different if the file has layers
        usable = len(set(own)) == len(own) and set(own) <= ALLOWED_VALUES
        name_labels(list(named), look, own if usable else None)
        return
    found, others = sorted(values & ALLOWED_VALUES), sorted(values - ALLOWED_VALUES)
    look.labels = {f"label_{value}": value for value in found} if len(found) > 1 else {"target": (found or [1])[0]}
    hold = f"hold {found}; rename them" if found else "hold no label; 1 is a guess: correct it"
    look.reasons.append(f"labels: the first {counted(len(paths), 'label file')} {hold}")
    if others:
        look.reasons.append(f"not used: the values {others}; labels of a study have values up to {max(ALLOWED_VALUES)}")


def _whole_values(path: Path) -> set[int]:
    """The values from 1 on in a label file, without their fractions."""
    return {int(value) for value in np.unique(read_volume_file(path).voxels_zyx) if 1 <= value < np.inf}


def _stem(name: str) -> str:
    """The name of a volume file without its suffix, as the reader of a folder of masks takes it."""
    suffixes = [suffix for suffix in NIFTI_SUFFIXES + SITK_SUFFIXES if name.lower().endswith(suffix)]
    return name[: -max(map(len, suffixes))]
