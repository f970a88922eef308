"""Study file made from the findings in a folder, with the reasons in comments."""

import csv
import hashlib
import io
import json
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ctseg.study.look import Look
from ctseg.version import VERSION

COLUMNS = ("case", "image", "label", "series_uid", "patient")  # columns of a case table
UNREADABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]"
)  # in YAML as they are; JSON leaves them so
LONGEST = 60  # characters of a folder's name in the name of its study
FEW = 3  # with fewer labelled cases none is left to test
PLAN = """plan:                 # made from the training cases
  spacing_mm: auto
  window_hu: auto
  scaling: zscore
  patch_size: auto
  batch_size: auto
train:
  steps: 10000        # at most; training stops earlier where validation no longer improves
  validate_every: 250
  patience: 10
"""


def study_text(look: Look, folder: str, model: str | None, file: str) -> str:
    """YAML text of a study. `model` is a model to segment with, or None to train; `file` is the path for the text."""
    return UNREADABLE.sub(_escape, "\n".join([*_head(look, folder, file), *_body(look, folder, model)]) + "\n")


def _escape(match: re.Match[str]) -> str:
    """A character as the escape that quoted texts of YAML have for it."""
    return f"\\u{ord(match[0]):04x}"


def _head(look: Look, folder: str, file: str) -> Iterator[str]:
    """Lines of the comments at the top of the file."""
    yield f"# Made by `ctseg init` of ctseg {VERSION} from a look at {folder}. config.yaml explains all keys."
    yield f"#   snakemake --cores all --configfile {file} -n     shows what would be done; without -n it is done"
    yield "# What was found, and what follows from it:"
    yield from (f"# * {' '.join(reason.split())}" for reason in look.reasons)


def _body(look: Look, folder: str, model: str | None) -> Iterator[str]:
    """Lines of the config's keys."""
    yield f"study: {json.dumps(study_name(folder))}        # results go to results/<study>/"
    if model:
        yield f"model: {json.dumps(model)}     # segments all cases, and is measured on those with a label"
    yield "cases:"
    yield from (f"  {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in look.cases.items())
    if look.labels:
        yield from _target(look)
    if not model:
        if look.labelled < FEW:
            yield "split:"
            yield f"  test_fraction: 0    # {look.labelled} cases with a label leave none to test"
            yield "infer:"
            yield "  splits: [val, predict]"
        yield PLAN.rstrip()


def _target(look: Look) -> Iterator[str]:
    """Lines of the section `target`."""
    yield "target:"
    yield f"  labels: {_flow(look.labels)}     # name: value in the label files; rename the names as you like"
    if look.names_in_files:
        yield f"  roi_names: {_flow(look.names_in_files)}"
    region = "lungs" if look.in_lungs else "body"
    yield f"  region: {region}        # lungs: look for the target in the lungs alone | body: anywhere"


def _flow(mapping: dict) -> str:
    """A mapping in one line, as JSON."""
    return json.dumps(mapping, ensure_ascii=False)


def table_text(rows: Sequence[Mapping[str, str]], table: Path) -> str:
    """TSV text of a case table for the path `table`; its paths are relative to the folder of `table` or absolute."""
    columns = [name for name in COLUMNS if any(name in row for row in rows)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        paths = {name: _from(table.parent, row[name]) for name in ("image", "label") if name in row}
        writer.writerow({**row, **paths})
    return text.getvalue()


def _from(folder: Path, path: str) -> str:
    """The path relative to `folder`; an absolute path is unchanged."""
    return path if Path(path).is_absolute() else os.path.relpath(path, folder)


def study_name(folder: str) -> str:
    """Name for a study of a folder; never `phantom`, the name of the built-in study.

    Letters that no name of a study may have are replaced by a hash of the folder's name, so that folders whose names
    differ in such letters alone do not share their results.
    """
    name = unicodedata.normalize("NFC", Path(folder).resolve().name)
    clean = re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_-")
    if not clean or len(name) > LONGEST or any(letter.isalnum() and not letter.isascii() for letter in name):
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{clean[:LONGEST] or 'study'}_{digest[:8]}"
    return f"{clean}_data" if clean == "phantom" else clean
