"""Scans, labels and label names found in the volume files of a folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ctseg.errors import InputError
from ctseg.file_types import is_volume_file
from ctseg.labels.label_tables import names_in
from ctseg.plurals import counted
from ctseg.scans.read_scan import read_scan
from ctseg.scans.volume_files import read_volume_file
from ctseg.study.guessed_patterns import CASE, Guess, Parts, guesses
from ctseg.study.look import Look, clean_name, name_labels, pattern, walk

LOOKED_AT = 3  # label files that are opened to read their values
MOST_GUESSES = 8  # patterns that are checked at most


def volume_guesses(root: Path) -> tuple[list[Guess], list[Guess]]:
    """Patterns of files with scans, and patterns of other volume files, each by decreasing number of files."""
    scans: list[Guess] = []
    others: list[Guess] = []
    for guess in guesses(path for path in walk(root) if is_volume_file(path[-1]))[:MOST_GUESSES]:
        (scans if not guess.says_label and _is_scan(root, guess) else others).append(guess)
    return scans, others


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
    """Whether the first file of a pattern can be read as a CT scan."""
    try:
        read_scan(root.joinpath(*next(iter(guess.paths.values()))))
    except InputError:
        return False
    return True


def _read_values(root: Path, paths: Sequence[Parts], look: Look) -> None:
    """Set the labels from the values in a few label files, and from the names in these files if they have names."""
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
