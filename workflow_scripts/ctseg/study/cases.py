"""Cases of a study: phantoms, rows of a table, matches of a path pattern, or a public archive. Opens no scan.

This runs at every start of the workflow, before all other work, so it imports little and reads little from disk.
"""

# Plain strings instead of Path: three times as fast for thousands of cases at every start.
# ruff: noqa: PTH110, PTH111, PTH118

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ctseg.catalogue.archives import ARCHIVES
from ctseg.errors import ConfigError
from ctseg.file_types import is_text
from ctseg.phantom.cases import phantom_case, phantom_label_name
from ctseg.study.archives import archive_columns
from ctseg.study.case_table import PATHS, Row, table_rows
from ctseg.study.corrections import Correction, find_corrections
from ctseg.study.path_patterns import Folders, find_paths
from ctseg.study.pseudonyms import safe_names
from ctseg.study.schema import Schema, find_problems, read_schema, show

MOST_PROBLEMS_SHOWN = 30  # an unmounted disk causes one problem per case


@dataclass(frozen=True)
class Case:
    """A case: the paths of its scan, label and lung field, its patient, and its given place in the splits.

    `image` is a file or the folder of a DICOM series, `label` a file or folder, `lungs` a file with the lung field.
    Paths are relative to the study's root, or absolute if they were given so; the whole folder can be moved.
    `patient` is the case's name if no patient is given. `drawn_by` is the patient as the data name it, also if the case
    has a pseudonym: splits are drawn by it. `split` is None if it is drawn. `given_fold` is the number of the fold in
    which the case validates, as text, if the data set defines it, and "-1" if it validates in no fold. `stratum` is a
    group that is distributed evenly over the folds, such as cases with and without a target; `groups` are further
    columns of the table, such as site and scanner. `label` of a corrected case is the correction.
    """

    case: str
    image: str
    label: str | None = None
    series_uid: str | None = None
    patient: str = ""
    split: str | None = None
    lungs: str | None = None
    stratum: str = ""
    groups: Mapping[str, str] = field(default_factory=dict, hash=False)
    correction: Correction | None = None
    given_fold: str | None = None
    drawn_by: str = ""

    def __post_init__(self) -> None:
        """Use the case's name as patient if no patient is given."""
        if not self.patient:
            object.__setattr__(self, "patient", self.case)
        if not self.drawn_by:
            object.__setattr__(self, "drawn_by", self.patient)

    @property
    def reference(self) -> str | None:
        """The label that may name the scan's series; of a corrected case the former label, if it had one."""
        return self.correction.replaces or self.label if self.correction else self.label


def find_cases(
    cases_config: dict[str, Any],
    root: str | Path,
    schema_path: str | Path,
    phantom_folder: str | Path,
    labels: Mapping[str, int],
    groups: Sequence[str] = (),
) -> list[Case]:
    """Cases of the config's section `cases`, sorted by name, without excluded cases.

    Paths are relative to `root`. Phantoms have the folders `<phantom_folder>/<case>/`, which need not exist yet.
    `schema_path` is the schema of a table row; `labels` are the label values by name, which an archive with named
    labels must contain; `groups` are further table columns to read. Raises ConfigError that names the problems, one per
    line, at most `MOST_PROBLEMS_SHOWN`.
    """
    source, schema = cases_config["source"], read_schema(schema_path)
    problems: list[str] = []
    if source == "phantom":
        rows = _phantom_rows(cases_config["phantom"]["patients"], str(phantom_folder))
    elif source == "table":
        rows = list(table_rows(cases_config["table"], str(root), schema, groups, problems))
    elif source in ARCHIVES:
        found = archive_columns(source, cases_config["folder"], str(root), labels)
        rows = [Row(columns["image"], columns) for columns in found]
    else:
        rows = list(_pattern_rows(cases_config["image"], cases_config["label"], str(root), problems))
    new_names = _case_names(rows, cases_config, root)
    rows = _without_excluded(rows, cases_config["exclude"], problems, new_names)
    names = [row.columns.get("case", "") for row in rows]
    folder = cases_config["corrections"]
    corrections = find_corrections(folder, str(root), set(names), problems) if folder else {}
    rows, corrections = _corrected(rows, corrections)
    problems += _faults(rows, schema)
    problems += _contradictions(rows)
    if source != "phantom":
        problems += _missing_files(rows, str(root))
    if not rows and not problems:
        problems.append("there is no case, or every case is excluded")
    _raise_if_any(problems)
    former = {new: old for old, new in new_names.items()}
    cases = (_case(row.columns, groups) for row in rows)
    return sorted(
        (
            replace(case, correction=corrections.get(case.case), drawn_by=former.get(case.patient, case.patient))
            for case in cases
        ),
        key=lambda case: case.case,
    )


def _corrected(rows: list[Row], corrections: dict[str, Correction]) -> tuple[list[Row], dict[str, Correction]]:
    """Rows with the corrections as labels, and the corrections with the labels that they replace."""
    changed, made = [], {}
    for where, columns in rows:
        case = columns.get("case", "")
        if case in corrections:
            made[case] = replace(corrections[case], replaces=columns.get("label"))
        changed.append(Row(where, columns | ({"label": made[case].path} if case in made else {})))
    return changed, made


def _case(columns: Mapping[str, str], groups: Sequence[str]) -> Case:
    """The case of a row; the columns in `groups` go into its `groups`."""
    own: dict[str, Any] = {
        name: cell for name, cell in columns.items() if name not in groups or name in Case.__annotations__
    }
    return Case(**own, groups={name: columns[name] for name in groups if name in columns})


def _raise_if_any(problems: list[str]) -> None:
    if problems:
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        more = len(problems) - MOST_PROBLEMS_SHOWN
        rest = [f"… and {more} more"] if more > 0 else []
        raise ConfigError("\n  ".join([f"the cases have {count}:", *problems[:MOST_PROBLEMS_SHOWN], *rest]))


def _phantom_rows(patients: int, folder: str) -> list[Row]:
    rows = []
    for index in range(patients):
        name = phantom_case(index)
        paths = {"image": f"{folder}/{name}/dicom", "label": f"{folder}/{name}/{phantom_label_name(index)}"}
        rows.append(Row(name, {"case": name, **paths}))
    return rows


def _pattern_rows(image: str, label: str | None, root: str, problems: list[str]) -> Iterator[Row]:
    """One row per match of the image pattern, except files that are the label of a case."""
    folders = Folders(root)
    found = list(find_paths(image, folders))
    labels: dict[str, str] = {}
    for path, fields in found if label else []:
        candidates = [other for other, _ in find_paths(str(label), folders, fields)]
        if len(candidates) > 1:
            problems.append(f"{path}: cases.label matches several files, {candidates[0]} and {candidates[1]}")
        if candidates:
            labels[path] = candidates[0]
    if not found:
        problems.append(f"cases.image: nothing matches {show(image, longest=200)}")
    elif label and not labels:
        problems.append(f"cases.label: no case has a file that matches {show(label, longest=200)}")
    taken = set(labels.values())
    for path, fields in found:
        if not is_text(path):
            problems.append(f"{path!a}: the name is not UTF-8 text, as names from a zip of another system; rename it")
        elif path not in taken:
            yield Row(path, {**fields, "image": path} | ({"label": labels[path]} if path in labels else {}))


def _case_names(rows: list[Row], cases_config: dict[str, Any], root: str | Path) -> dict[str, str]:
    """New name of each case by its old name: a pseudonym if it may be personal, as a file or folder name may be."""
    names = [row.columns["case"] for row in rows if "case" in row.columns]
    source, always = cases_config["source"], cases_config["names"] == "pseudonym"
    of_users = source == "folder" or (source in ARCHIVES and not ARCHIVES[source].public)
    if always or (cases_config["names"] == "auto" and of_users):
        return safe_names(names, Path(root, os.path.expanduser(cases_config["key_file"])), always)
    return {name: name for name in names}


def _without_excluded(rows: list[Row], excluded: list[str], problems: list[str], names: dict[str, str]) -> list[Row]:
    """Rows with their new names, without the rows that are excluded by their old or new name."""
    known = set(names) | set(names.values())
    problems += [f"cases.exclude: there is no case {show(name)}" for name in excluded if name not in known]
    left = []
    for where, columns in rows:
        old = columns.get("case", "")
        if not {old, names.get(old)} & set(excluded):
            left.append(Row(where, columns | ({"case": names[old]} if old else {})))
    return left


def _faults(rows: list[Row], schema: Schema) -> Iterator[str]:
    """Violations of the schema in each row. Messages do not quote cells, which may be a patient's name or a UID."""
    for row in rows:
        for column, text in find_problems(row.columns, schema):
            yield f"{row.where}: {column} {text.removeprefix(show(row.columns.get(column))).strip()}"


def _contradictions(rows: list[Row]) -> Iterator[str]:
    """Repeated cases or scans, splits that need a missing label, and patients in two splits."""
    yield from _repeated(rows, ("case",), "the same case")
    yield from _repeated(rows, ("image", "series_uid"), "the same scan")
    split_of: dict[str, Row] = {}
    for row in rows:
        split = row.columns.get("split")
        if split not in ("train", "val", "test"):
            continue
        if "label" not in row.columns:
            yield f"{row.where}: a case without a label cannot be in {split}; leave its split empty or say predict"
        first = split_of.setdefault(row.columns.get("patient", row.columns.get("case", "")), row)
        if first.columns["split"] != split:
            yield f"{row.where}: its patient is in {split} here, but in {first.columns['split']} at {first.where}"


def _repeated(rows: list[Row], columns: tuple[str, ...], what: str) -> Iterator[str]:
    first_of: dict[tuple, Row] = {}
    for row in rows:
        key = tuple(row.columns.get(column) for column in columns)
        first = first_of.setdefault(key, row)
        if first is not row and key[0] is not None:
            yield f"{row.where}: is {what} as {first.where}"


def _missing_files(rows: Iterable[Row], root: str) -> Iterator[str]:
    for row in rows:
        for column in PATHS:
            path = row.columns.get(column)
            if path and not os.path.exists(os.path.join(root, path)):
                yield f"{row.where}: the {column} {path} does not exist"
