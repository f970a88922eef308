"""The manifest of a study: every job that led to its results, with hashes of the files that were read and written."""

import json
import subprocess
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ctseg.errors import InputError
from ctseg.file_hash import sha256_of
from ctseg.files import read_json
from ctseg.provenance.job_records import describe, lineage, timeless

FORMAT = 1
SHOWN = 20  # problems that are named; the rest are counted


def trace(study: Path, outputs: Iterable[str]) -> list[dict[str, Any]]:
    """`job_records.lineage`, with InputError and a remedy for a result without a record."""
    try:
        return lineage(study, outputs)
    except FileNotFoundError as error:
        raise InputError(
            f"there is no record of the job of {study / str(error.filename)}: {study}/provenance was changed or is "
            f"from an older ctseg; make it again: snakemake --cores all --force -- {study / str(error.filename)}"
        ) from None


def timeless_manifest(study: Path, outputs: Iterable[str]) -> dict[str, Any]:
    """Manifest of the jobs that led to `outputs`, without times and hardware, so that it is equal on other machines."""
    return {"format": FORMAT, "jobs": [timeless(record) for record in trace(study, outputs)]}


def study_manifest(study: Path, outputs: Iterable[str], config: dict[str, Any], workflow: Path) -> dict[str, Any]:
    """Manifest of a study: its jobs, config and software, and the revision of the workflow in the folder `workflow`."""
    jobs = trace(study, outputs)
    return {
        "format": FORMAT,
        "study": study.name,
        "config": config,
        "workflow": {"name": "ctseg", "revision": revision(workflow)},
        "software": versions(jobs),
        "jobs": jobs,
    }


def versions(jobs: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Versions of each package that any job used; several if jobs ran in different environments."""
    used = {item for job in jobs for item in job["software"].items()}
    return {name: sorted(version for other, version in used if other == name) for name in sorted(dict(used))}


def revision(folder: Path) -> str | None:
    """The git commit of a folder, with `-dirty` if files differ from it; None without git or a git checkout."""
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def differences(
    study: Path,
    manifest: Mapping[str, Any],
    sources: Mapping[str, str],
    passing: Collection[Path] = (),
    threads: int = 1,
) -> tuple[list[str], int]:
    """Differences from the manifest, one line each, and the number of files and folders that were compared.

    `sources` has the paths of the user's own files by their key (`source_key`). The files `passing` may be missing.
    """
    expected: dict[str, tuple[str, dict[str, Any]]] = {}
    for job in manifest["jobs"]:
        for output, content in job["outputs"].items():
            if (study / output).exists() or study / output not in passing:
                expected[str(study / output)] = (str(study / output), content)
        for name, contents in job["sources"].items():
            key = source_key(job, name)
            for content in contents:
                expected[sources.get(key, key)] = (f"the {name} of {job['rule']} {key}", content)
    with ThreadPoolExecutor(threads) as pool:
        found = pool.map(_difference, expected, *zip(*expected.values(), strict=True)) if expected else []
    return [line for line in found if line], len(expected)


def source_key(job: Mapping[str, Any], name: str) -> str:
    """Key of one of the user's files: the wildcards of its job, such as the case, and the name of the rule's input."""
    return "/".join([*map(str, job["wildcards"].values()), name])


def _difference(path: str, called: str, expected: dict[str, Any]) -> str:
    """Difference of a file or folder from its expected hash, in words; empty if there is no difference."""
    if not Path(path).exists():
        return f"{called} is missing"
    return "" if describe(path)["sha256"] == expected["sha256"] else f"{called} has changed"


def require_none(problems: list[str], study: Path) -> None:
    """Raise InputError that names the problems, if there are any, at most `SHOWN`."""
    if problems:
        more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        listed = "".join(f"\n  {problem}" for problem in problems[:SHOWN])
        raise InputError(f"{study} differs from its manifest:{listed}{more}")


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a study. Raises InputError if the file is missing or is not a manifest."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run the study to its end first: snakemake --cores all") from None
    except ValueError:
        raise InputError(f"{path} cannot be read as JSON; make it again: snakemake --force -- {path}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{path} is not a manifest of format {FORMAT}; make it again: snakemake --force -- {path}")
    return manifest


def model_difference(card: Path, provenance: Path) -> list[str]:
    """A line if the model's card has another hash of `provenance`; none if a file is missing, as for a given model."""
    if not card.exists() or not provenance.exists():
        return []
    if sha256_of(provenance) == read_json(card)["provenance"]:
        return []
    return [f"{provenance} is not what the model says that it was made from"]
