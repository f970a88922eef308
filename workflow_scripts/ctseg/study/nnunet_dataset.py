"""A data set in nnU-Net's raw layout (version 2): dataset.json, imagesTr, labelsTr and, optionally, imagesTs, labelsTs.

Its cross-validation, `splits_final.json`, is in the folder itself, or in the data set's folder in
`nnUNet_preprocessed` next to `nnUNet_raw`, where nnU-Net writes it.
"""

# Plain strings instead of Path: three times as fast for thousands of cases at every start.
# ruff: noqa: PTH118

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ctseg.errors import ConfigError
from ctseg.file_types import is_volume_file
from ctseg.folders import visible_names
from ctseg.plurals import counted

Columns = dict[str, str]
SPLITS = "splits_final.json"
CHANNEL = "_0000"
NEVER = "-1"  # the fold of a case that every fold trains on


def nnunet_columns(folder: str, root: str, require: Callable[[Mapping[int, str], str], None]) -> Iterator[Columns]:
    """Columns of each case; a case of imagesTs is tested if labelsTs has its label, else only predicted.

    Paths are relative to `root` or absolute. `require` is called with the names of the data set's labels by value and
    the path of dataset.json. Raises ConfigError for data that ctseg cannot use: several channels, regions, ignored
    voxels, pictures.
    """
    name = os.path.join(folder, "dataset.json")
    if not Path(root, name).is_file():
        return
    dataset = read_dataset(Path(root, name), name)
    require(values_by_number(dataset, name), name)
    ending = dataset["file_ending"]
    training = list(_training(folder, root, dataset, name))
    if len(training) != dataset.get("numTraining", len(training)):
        raise ConfigError(
            f"{name} speaks of {counted(dataset['numTraining'], 'training case')}, imagesTr holds {len(training)}; "
            "copy the data set again, or correct numTraining"
        )
    folds = _folds(folder, root, [columns["case"] for columns in training])
    for columns in training:
        yield columns | ({"given_fold": folds[columns["case"]]} if columns["case"] in folds else {})
    labelled = set(visible_names(os.path.join(root, folder, "labelsTs")))
    for case, image in _images(folder, root, "imagesTs", ending):
        columns = {"case": case, "image": image}
        if f"{case}{ending}" in labelled:
            yield columns | {"label": os.path.join(folder, "labelsTs", f"{case}{ending}"), "split": "test"}
        else:
            yield columns | {"split": "predict"}


def read_dataset(path: Path, name: str) -> dict[str, Any]:
    """The checked content of a dataset.json. Raises ConfigError if it is damaged or describes data ctseg cannot use."""
    try:
        dataset = json.loads(path.read_text(encoding="utf-8-sig"))
        channels = dataset.get("channel_names") or dataset["modality"]
        kinds, ending = [str(kind) for kind in channels.values()], dataset["file_ending"]
        labels = dict(dataset["labels"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(
            f"{name} is damaged or no dataset.json of nnU-Net 2, which has channel_names, labels and file_ending"
        ) from None
    if len(kinds) != 1:
        raise ConfigError(
            f"{name} has {len(kinds)} channels ({', '.join(kinds)}); ctseg segments CT alone: make a data set of the "
            "channel with the CT"
        )
    if "CT" not in kinds[0].upper():
        raise ConfigError(f"{name} says that the scans are {kinds[0]}; ctseg is for CT")
    if not is_volume_file(f"case{ending}"):
        raise ConfigError(f"{name} has files that end in {ending}, which ctseg does not read; convert them to .nii.gz")
    if "ignore" in labels:
        raise ConfigError(
            f"{name} has the label ignore for voxels that nobody annotated, which ctseg cannot leave out; give the "
            "cases that are annotated as a whole"
        )
    return dataset | {"labels": labels, "file_ending": str(ending)}


def values_by_number(dataset: Mapping[str, Any], name: str) -> dict[int, str]:
    """Label names by value, without the background. Raises ConfigError for regions, which unite several values."""
    regions = [str(label) for label, value in dataset["labels"].items() if isinstance(value, list)]
    regions = [label for label in regions if dataset["labels"][label] != [0]]
    if regions:
        raise ConfigError(
            f"{name} trains regions of several values ({', '.join(regions)}), ctseg has one value for each label: read "
            f"the same files with `source: folder` (image: …/imagesTr/{{case}}{CHANNEL}{dataset['file_ending']}, "
            f"label: …/labelsTr/{{case}}{dataset['file_ending']}), and name each value in target.labels"
        )
    try:
        return {int(value): str(label) for label, value in dataset["labels"].items() if value not in (0, "0", [0])}
    except (TypeError, ValueError):
        raise ConfigError(f"{name}: the labels are no whole numbers by their names, as nnU-Net 2 has them") from None


def _training(folder: str, root: str, dataset: Mapping[str, Any], name: str) -> Iterator[Columns]:
    """Columns of the training cases, from the list in dataset.json if it has one, else from the names in imagesTr."""
    ending = dataset["file_ending"]
    if "dataset" in dataset:
        try:
            for case, files in dataset["dataset"].items():
                image, label = files["images"][0], files["label"]
                yield {"case": case, "image": _joined(folder, image), "label": _joined(folder, label)}
        except (TypeError, KeyError, IndexError, AttributeError):
            raise ConfigError(f"{name}: `dataset` should have images and label for each case") from None
        return
    for case, image in _images(folder, root, "imagesTr", ending):
        yield {"case": case, "image": image, "label": os.path.join(folder, "labelsTr", f"{case}{ending}")}


def _joined(folder: str, path: str) -> str:
    """A path of dataset.json, which is relative to the data set or absolute, joined to `folder`."""
    return os.path.normpath(os.path.join(folder, path))


def _images(folder: str, root: str, part: str, ending: str) -> Iterator[tuple[str, str]]:
    """Case name and path of each scan in a subfolder of the data set. Raises ConfigError for a second channel."""
    names = visible_names(os.path.join(root, folder, part))
    second = f"_0001{ending}"
    if other := next((name for name in names if name.endswith(second)), None):
        path = os.path.join(folder, part, other)
        raise ConfigError(f"{path} is a second channel; ctseg segments CT alone: remove it")
    for name in names:
        if name.endswith(f"{CHANNEL}{ending}"):
            yield name.removesuffix(f"{CHANNEL}{ending}"), os.path.join(folder, part, name)


def _folds(folder: str, root: str, cases: list[str]) -> dict[str, str]:
    """Validation fold of each case, `NEVER` for a case that all folds train on; empty without a splits_final.json."""
    own = Path(os.path.normpath(os.path.join(root, folder)))
    beside = own.parents[1] / "nnUNet_preprocessed" / own.name if len(own.parents) > 1 else own
    path = next((path for path in (own / SPLITS, beside / SPLITS) if path.is_file()), None)
    if path is None:
        return {}
    try:
        splits = [(set(split["train"]), set(split["val"])) for split in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError):
        told = f"{path} is damaged or no cross-validation of nnU-Net; remove it to have folds drawn"
        raise ConfigError(told) from None
    everyone, validated = set[str]().union(*(train | val for train, val in splits)), set[str]()
    for number, (train, val) in enumerate(splits):
        if train != everyone - val or validated & val:
            raise ConfigError(
                f"{path}: fold {number} leaves out cases, or validates on one of an earlier fold; in ctseg a case "
                "validates once and trains in the other folds: remove the file to have folds drawn"
            )
        validated |= val
    if missing := sorted(everyone - set(cases)):
        raise ConfigError(f"{path} names {missing[0]}, which is not in imagesTr; remove the file to have folds drawn")
    folds = dict.fromkeys(everyone, NEVER)
    for number, (_, val) in enumerate(splits):
        folds |= dict.fromkeys(val, str(number))
    return folds
