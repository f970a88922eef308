"""Job records: for each output a small file with the inputs and outputs of its job, the source of the study's manifest.

A record is written after its job has succeeded, with the hashes of the job's outputs and of the user's own files that
it read. It contains no path and no name of the user's files, because these can identify the patient.
"""

import datetime
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ctseg.file_hash import sha256_of
from ctseg.files import read_json, write_text
from ctseg.folders import walk_files
from ctseg.hardware import processor_name
from ctseg.provenance.versions import software

FOLDER = "provenance/files"  # folder of the records, below the study's results
UID = re.compile(r"\d+(?:\.\d+){5,}")
BESIDE = "reference"  # an input that only names the scan's series; the job that converts it records it
# File names made by scanners and programs: a known word and small numbers. Other names may be a patient's.
PLAIN_NAME = re.compile(
    r"(?:im|img|image|i|ct|slice|s|rs|rtstruct|rtss|seg|label|mask|scan|dicom|dcm|file)?[-_.]?\d{0,4}(?:[-_.]\d{1,4})?"
    r"(?:\.(?:dcm|ima|img|dicom|nii|gz|nrrd|mha|mhd))*",
    re.IGNORECASE,
)


def without_sources(message: str, inputs: Any, file_names: bool = False) -> str:
    """A message for a log or a record, without paths and UIDs, because file names of a hospital can name the patient.

    Paths of the user's own files become the name of the rule's input, such as `<scan>` and `<label>`, UIDs become
    `<uid>`. With `file_names` the names of these files, and of files and folders among a scan's slices, become
    `<file>`, except plain names such as `IM_0012.dcm`.
    """
    for name, value in inputs.items():
        for path in paths_of(value):
            if not path.startswith("results/"):
                message = message.replace(path, f"<{name}>")
    return UID.sub("<uid>", _without_names(message, inputs) if file_names else message)


def _without_names(message: str, inputs: Any) -> str:
    """The message with `<file>` in place of the names of the user's files that may be personal."""
    names: set[str] = set()
    for path in (Path(path) for _, value in inputs.items() for path in paths_of(value)):
        if path.parts[:1] != ("results",):
            names.add(path.name)
            found = {*path.rglob("*"), *walk_files(path)}  # hidden ones too, and those behind links to folders
            names.update(part for file in found for part in file.relative_to(path).parts)
    for name in sorted(names, key=len, reverse=True):
        if name in message and not PLAIN_NAME.fullmatch(name) and not UID.fullmatch(name):
            message = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "<file>", message)
    return message


def paths_of(value: Any) -> list[str]:
    """A list of paths from one path or several."""
    return [value] if isinstance(value, str) else list(value)


def is_result(path: str, study: Path) -> bool:
    """Whether a path is a result of the study and not a file of the user."""
    return path.startswith(f"{study}/")


def now() -> str:
    """The current time in UTC, to the second, in ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def describe(path: str | Path) -> dict[str, Any]:
    """SHA-256 and size in bytes of a file, or of all files in a folder; names and order of files do not matter.

    The hash of a folder is the hash of its files' hashes in hexadecimal, sorted, one per line. Hidden files and
    folders are left out, because Snakemake and file browsers write their own into folders. Raises OSError.
    """
    if not Path(path).is_dir():
        return {"sha256": sha256_of(path), "bytes": Path(path).stat().st_size}
    files = [describe(file) for file in walk_files(Path(path)) if file.is_file()]
    lines = "".join(sorted(f"{file['sha256']}\n" for file in files))
    total = sum(file["bytes"] for file in files)
    return {"sha256": hashlib.sha256(lines.encode()).hexdigest(), "bytes": total, "files": len(files)}


def study_folder(log: str) -> Path:
    """The folder of a study's results, from the path of a job's log: results/<study>."""
    return Path(*Path(log).parts[:2])


def relative(paths: Iterable[str], study: Path) -> list[str]:
    """The paths that are results of the study, relative to its folder, sorted."""
    return sorted(os.path.relpath(path, study) for path in paths if is_result(path, study))


def record_path(study: Path, output: str) -> Path:
    """Path of the record of an output; `output` is relative to the study's folder."""
    return study / FOLDER / f"{output}.json"


def write_records(job: Any, started: str) -> None:
    """Record a job that succeeded; `job` is the object `snakemake` of a script, `started` a time from `now`.

    The same record is written for each output, under the output's name, so the record of a result is found directly. A
    job without outputs has no record.
    """
    if not job.output:
        return
    study = study_folder(job.log[0])
    record = {
        "rule": job.rule,
        "wildcards": dict(sorted(job.wildcards.items())),
        "command": f"snakemake --cores all --force -- {min(job.output)}",
        "code": job.params.code,
        "params": json.loads(
            without_sources(json.dumps(job.params.get("settings", {}), ensure_ascii=False), job.input)
        ),
        "inputs": relative((path for value in job.input for path in paths_of(value)), study),
        "sources": {
            name: [describe(path) for path in paths_of(value)]
            for name, value in sorted(job.input.items())
            if name != BESIDE and not all(is_result(path, study) for path in paths_of(value))
        },
        "outputs": {os.path.relpath(path, study): describe(path) for path in sorted(job.output)},
        "software": software(),
        "machine": machine(),
        "threads": job.threads,
        "started": started,
        "ended": now(),
    }
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    for output in record["outputs"]:
        write_text(record_path(study, output), text)


def machine() -> dict[str, Any]:
    """Processor, number of cores, and GPUs that this process used; never the machine's name."""
    torch = sys.modules.get("torch")
    gpus = torch.cuda.device_count() if torch and torch.cuda.is_initialized() else 0
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "gpus": [torch.cuda.get_device_name(number) for number in range(gpus)] if torch else [],
    }


def lineage(study: Path, outputs: Iterable[str]) -> list[dict[str, Any]]:
    """The records of all jobs that led to `outputs`, each once, ordered by their first output.

    Paths are relative to the study's folder. Raises FileNotFoundError with the first result without a record as
    `filename`.
    """
    found: dict[str, dict[str, Any]] = {}
    waiting = list(outputs)
    seen = set(waiting)
    while waiting:
        output = waiting.pop()
        path = record_path(study, output)
        if not path.is_file():
            raise FileNotFoundError(2, "no record", output)
        record = read_json(path)
        found[min(record["outputs"])] = record
        more = [path for path in record["inputs"] if path not in seen]
        seen.update(more)
        waiting += more
    return [found[first] for first in sorted(found)]


def timeless(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without machine, threads and times, which differ between runs."""
    return {name: value for name, value in record.items() if name not in ("machine", "threads", "started", "ended")}
