"""Checks of the machine before a study starts, so that a problem is reported once and not by every job."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ctseg.errors import MachineError

# Snakemake 9 starts each job with a shell command that has the path of Python without quotes.
UNQUOTED = re.compile(r"""[\s"'$&;|<>()\\`*?]""")
GIB = 2**30


def check_environment(python: str, results: str | Path, free_gib: float, temporary: str | Path | None = None) -> None:
    """Raise MachineError that names every reason why jobs cannot succeed, one per line.

    `python` is the path of the interpreter, `results` the study's folder, which need not exist yet. If no other problem
    is found, its disk and the disk for temporary files (default: `tempfile.gettempdir()`, which follows TMPDIR) must
    have `free_gib` of free space; 0 skips this check.
    """
    problems = [*_python(python), *_results(Path(results))]
    if free_gib > 0 and not problems:
        problems += _disk(nearest(Path(results)), "results", free_gib)
        problems += _disk(Path(temporary or tempfile.gettempdir()), "temporary files (TMPDIR)", free_gib)
    if problems:
        raise MachineError("\n  ".join(problems))


def put_first(scripts: str | Path) -> None:
    """Put the folder first in PYTHONPATH, so that child processes import from it before installed packages.

    Snakemake appends the folder of a script to sys.path, so an installed library of the same name would come first.
    """
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(scripts), *(path for path in others if path not in ("", str(scripts)))]
    )


def _python(python: str) -> Iterator[str]:
    """Problem of an interpreter path with which Snakemake cannot start jobs."""
    if found := UNQUOTED.search(python):
        what = "a blank" if found[0].isspace() else f"the character {found[0]}"
        yield (
            f"the path of the Python environment has {what}, and Snakemake cannot start jobs with it: {python}. Make "
            "the environment in a folder without, as with `make demo VENV=$HOME/ctseg-venv`; project, data and results "
            "may stay where they are"
        )


def _results(results: Path) -> Iterator[str]:
    """Problem of writing results: to their folder and its subfolders, or to the nearest existing parent folder."""
    place = nearest(results)
    if not place.is_dir():
        yield f"results cannot be written to {results}: {place} is a file; move it away, or give the study another name"
        return
    folders = [place, *(Path(entry) for entry in os.scandir(place) if entry.is_dir())] if place == results else [place]
    for folder in folders:
        if not os.access(folder, os.W_OK | os.X_OK):
            yield (
                f"results cannot be written to {results}: you may not write into {folder.resolve()}; change its owner "
                "or permissions, or run in another folder with --directory"
            )
            return


def _disk(folder: Path, what: str, free_gib: float) -> Iterator[str]:
    """Problem of too little free space on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if free < free_gib * GIB:
        yield (
            f"the disk for {what}, {folder.resolve()}, has {free / GIB:.2f} GiB free, less than the {free_gib:g} GiB "
            "of resources.free_disk_gib; free space, take a folder on another disk, or lower that number if your scans "
            "are small"
        )


def nearest(path: Path) -> Path:
    """The path if it exists, else its nearest existing parent."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def main() -> None:
    """Exit with a message if Snakemake could not start jobs with an interpreter at the given path."""
    if problems := list(_python(os.path.abspath(sys.argv[1]))):  # noqa: PTH100 (a link is not to be followed)
        sys.exit(f"ctseg: {problems[0]}")


if __name__ == "__main__":
    main()
