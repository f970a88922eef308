"""Check of the catalogues for entries without builder, schema value, methods text or citation."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from ctseg.catalogue import archives, label_formats, losses, metrics, networks, optimisers
from ctseg.catalogue.entry import Entry
from ctseg.catalogue.references import REFERENCES
from ctseg.evaluation import calibration, case_metrics
from ctseg.evaluation.summary import STABILITY
from ctseg.labels import formats
from ctseg.network import architectures, kinds
from ctseg.study import archives as archive_readers
from ctseg.training import losses as terms
from ctseg.training.optimiser import OPTIMISERS
from methods import methods_of
from places import ROOT


def forgotten() -> list[str]:
    """One line for each missing part of an entry, and for each builder or schema value without an entry."""
    schema = yaml.safe_load((ROOT / "rules/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    sources = set(_enum(schema, "cases.source")) - {"phantom", "folder", "table"}
    return [
        *_names("network", networks.NETWORKS, architectures.ARCHITECTURES, "network/architectures.py"),
        *_names("network", networks.NETWORKS, kinds.KINDS, "network/kinds.py"),
        *_names("network", networks.NETWORKS, _enum(schema, "network.architecture"), "the config's schema"),
        *_told("network", networks.NETWORKS, "network.architecture"),
        *_names("loss", losses.LOSSES, terms.LOSSES, "training/losses.py"),
        *_names("loss", losses.LOSSES, _enum(schema, "train.loss"), "the config's schema"),
        *_told("loss", losses.LOSSES, "train.loss"),
        *_names("optimiser", optimisers.OPTIMISERS, OPTIMISERS, "training/optimiser.py"),
        *_names("optimiser", optimisers.OPTIMISERS, _enum(schema, "train.optimiser"), "the config's schema"),
        *_told("optimiser", optimisers.OPTIMISERS, "train.optimiser"),
        *_names("archive", archives.ARCHIVES, archive_readers.READERS, "study/archives.py"),
        *_names("archive", archives.ARCHIVES, sources, "the config's schema"),
        *_told("archive", archives.ARCHIVES, "cases.source"),
        *_archive_formats(),
        *_names("label format", label_formats.LABEL_FORMATS, formats.READERS, "labels/formats.py"),
        *_described("label format", label_formats.LABEL_FORMATS),
        *_label_settings(schema),
        *_names("metric", metrics.METRICS, _computed(), "evaluation"),
        *_told("metric", metrics.METRICS),
    ]


def _enum(schema: Mapping[str, Any], key: str) -> list[str]:
    """Values that the schema allows for a key of the config, without `auto`."""
    return [name for name in _part_of(schema, key)["enum"] if name != "auto"]


def _part_of(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Schema of a key of the config. Raises KeyError if the key does not exist."""
    for part in key.split("."):
        schema = schema["properties"][part]
    return schema


def _names(kind: str, entries: Iterable[str], others: Iterable[str], where: str) -> Iterator[str]:
    """Lines for the names that are only in the catalogue or only in `others`."""
    yield from (f"{kind} {name}: is not in {where}" for name in entries if name not in set(others))
    yield from (f"{kind} {name}: {where} has it, the catalogue has not" for name in others if name not in set(entries))


def _described(kind: str, entries: Mapping[str, Entry]) -> Iterator[str]:
    """Lines for entries without a description or with an unknown citation."""
    for name, entry in entries.items():
        if not entry.description:
            yield f"{kind} {name}: has no description"
        yield from (f"{kind} {name}: cites {key}, which is no reference" for key in entry.cite if key not in REFERENCES)


def _told(kind: str, entries: Mapping[str, Entry], key: str = "") -> Iterator[str]:
    """Lines for entries that the methods text of a study with this entry does not describe or cite."""
    problems = list(_described(kind, entries))
    yield from problems
    for name, entry in entries.items():
        if any(problem.startswith(f"{kind} {name}:") for problem in problems):
            continue
        text, references = _methods(key, name)
        if entry.description not in text:
            yield f"{kind} {name}: is not in the methods text"
        yield from (
            f"{kind} {name}: {cited} is not cited" for cited in entry.cite if REFERENCES[cited] not in references
        )


def _methods(key: str, value: str) -> tuple[str, list[str]]:
    """Methods text and references of a study with one changed key of the config (none if `key` is empty)."""
    change: Any = value
    for part in reversed(key.split(".")):
        change = {part: change}
    return methods_of(change if key else None)


def _archive_formats() -> Iterator[str]:
    """Lines for archives without a layout or with an unknown label format."""
    for name, archive in archives.ARCHIVES.items():
        if not archive.layout:
            yield f"archive {name}: has no layout"
        if archive.label_format not in label_formats.LABEL_FORMATS:
            yield f"archive {name}: {archive.label_format or 'nothing'} is no label format"


def _label_settings(schema: Mapping[str, Any]) -> Iterator[str]:
    """Lines for settings of label formats that are not keys of the config."""
    for name, found in label_formats.LABEL_FORMATS.items():
        for key in found.settings:
            try:
                _part_of(schema, key)
            except KeyError:
                yield f"label format {name}: {key} is no key of the config"


def _computed() -> list[str]:
    """Columns of the metrics tables, with all surface Dice columns as one."""
    columns = [*case_metrics.columns([2.0]), *calibration.COLUMNS, *STABILITY.values()]
    return ["surface_dice" if column.startswith("surface_dice_") else column for column in columns]
