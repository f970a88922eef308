"""Cases of public archives and of data sets in nnU-Net's layout, found by file and folder names. Opens no scan.

This runs at every start of the workflow. Each folder is listed once. The only files that are read are dataset.json,
nnU-Net's splits_final.json, and the first kilobytes of LIDC-IDRI's XML files if their location does not assign them to
a CT series.
"""

# Plain strings instead of Path: three times as fast for thousands of cases at every start.
# ruff: noqa: PTH111, PTH112, PTH118, PTH119, PTH208

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path

from ctseg.catalogue.archives import ARCHIVES
from ctseg.errors import ConfigError
from ctseg.folders import visible_names
from ctseg.study.lidc_archive import lidc_columns
from ctseg.study.look import clean_name, config_names
from ctseg.study.nnunet_dataset import nnunet_columns

Columns = dict[str, str]

# Values of the two lungs in an archive's lung masks, by `cases.source`.
LUNG_VALUES = {name: list(archive.lung_values) for name, archive in ARCHIVES.items() if archive.lung_values}
SAME_NAME = 0.6  # least ratio of difflib for similar names: tumor and tumour are similar, tumour and cancer are not
NIFTI = ".nii.gz"


def archive_columns(source: str, folder: str, root: str, labels: Mapping[str, int]) -> list[Columns]:
    """Columns of each case of an archive, named as in a case table; paths are relative to `root` or absolute.

    `source` is a key of `catalogue.archives.ARCHIVES`, and `folder` is the path of the archive. `labels` are the label
    values by name; for `msd` and `nnunet` they must agree with the labels of dataset.json. Raises ConfigError if the
    folder is missing or has another layout; the message names the archive, its origin and the expected layout.
    """
    folder = os.path.normpath(os.path.expanduser(folder))
    is_folder = os.path.isdir(os.path.join(root, folder))
    rows = list(READERS[source](folder, root, labels)) if is_folder else []
    if not rows:
        problem = "does not hold an archive of this layout" if is_folder else "is not there"
        raise ConfigError(f"cases.folder: {folder} {problem}; `source: {source}` reads {ARCHIVES[source].layout}")
    return rows


def _msd_columns(folder: str, root: str, labels: Mapping[str, int]) -> Iterator[Columns]:
    """Columns of the training cases with their labels, and of the cases of imagesTs, which have no published labels."""
    name = os.path.join(folder, "dataset.json")
    path = Path(root, name)
    if not path.is_file():
        return
    try:
        dataset = json.loads(path.read_text(encoding="utf-8-sig"))
        kinds = [str(kind) for kind in dataset["modality"].values()]
        held = {int(value): str(label) for value, label in dataset["labels"].items() if int(value) != 0}
        training = [(str(entry["image"]), str(entry["label"])) for entry in dataset["training"]]
        test = [str(image) for image in dataset.get("test", [])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{name} is damaged or no dataset.json of the Decathlon; unpack the archive again") from None
    if [kind.upper() for kind in kinds] != ["CT"]:
        raise ConfigError(f"{name} says that the scans are {', '.join(kinds)}; ctseg is for CT")
    _require_labels(labels, held, name)
    for image, label in training:
        yield from _msd_case(folder, image, {"label": os.path.normpath(os.path.join(folder, label))})
    for image in test:
        yield from _msd_case(folder, image, {"split": "predict"})


def _msd_case(folder: str, image: str, more: Columns) -> Iterator[Columns]:
    """Columns of one case; nothing for the `._` files that macOS puts into archives."""
    name = os.path.basename(image)
    if not name.startswith("._"):
        yield {"case": name.removesuffix(NIFTI), "image": os.path.normpath(os.path.join(folder, image)), **more}


def _require_labels(labels: Mapping[str, int], held: Mapping[int, str], name: str) -> None:
    """Raise ConfigError unless the archive has each value under a similar name.

    A name in other letters than those of a config, such as Chinese, is similar to any: the value decides.
    """
    values = sorted(held)
    made = dict(zip(values, config_names([held[value] for value in values]), strict=True))  # as `ctseg init` names them
    holds = ", ".join(f"{label}: {value}" for value, label in sorted(held.items()))
    for label, value in labels.items():
        if value not in held or not (label == made[value] or _similar(label, held[value])):
            raise ConfigError(f"target.labels: {label}: {value} does not match {name}, which holds {holds}")


def _similar(first: str, second: str) -> bool:
    if not clean_name(second):
        return True
    short, long = sorted((re.sub(r"[\W_]+", " ", text.lower()) for text in (first, second)), key=len)
    return short in long or SequenceMatcher(None, short, long).ratio() >= SAME_NAME


def _lidc_columns(folder: str, root: str, _: Mapping[str, int]) -> Iterator[Columns]:
    """See `lidc_columns`; the only label may have any name."""
    return lidc_columns(folder, root)


def _nnunet_columns(folder: str, root: str, labels: Mapping[str, int]) -> Iterator[Columns]:
    """See `nnunet_columns`; the labels must be those of the study."""
    return nnunet_columns(folder, root, lambda held, name: _require_labels(labels, held, name))


def _luna16_columns(folder: str, root: str, _: Mapping[str, int]) -> Iterator[Columns]:
    """Columns of each `.mhd` file in the existing subsets; the file name is the series UID."""
    top = os.listdir(os.path.join(root, folder))
    if "annotations.csv" not in top:
        return
    lungs = set(_mhd_names(root, os.path.join(folder, "seg-lungs-LUNA16")))
    for subset in sorted(name for name in top if re.fullmatch(r"subset\d", name)):
        for name in _mhd_names(root, os.path.join(folder, subset)):
            series_uid = name.removesuffix(".mhd")
            columns = {
                "case": series_uid,
                "image": os.path.join(folder, subset, name),
                "label": os.path.join(folder, "annotations.csv"),
                "series_uid": series_uid,
            }
            yield columns | ({"lungs": os.path.join(folder, "seg-lungs-LUNA16", name)} if name in lungs else {})


def _mhd_names(root: str, folder: str) -> list[str]:
    """Names of the `.mhd` files in a folder, sorted; none if the folder is missing or cannot be listed."""
    return [name for name in visible_names(os.path.join(root, folder)) if name.endswith(".mhd")]


READERS: dict[str, Callable[[str, str, Mapping[str, int]], Iterator[Columns]]] = {
    "msd": _msd_columns,
    "lidc": _lidc_columns,
    "luna16": _luna16_columns,
    "nnunet": _nnunet_columns,
}
