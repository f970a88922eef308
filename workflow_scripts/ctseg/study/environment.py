"""What the machine must give before a study starts, told once and at the start instead of by every job in turn."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ctseg.errors import MachineError

# Snakemake 9 starts each job by a line of the shell in which the path of Python stands without quotes.
UNQUOTED = re.compile(r"""[\s"'$&;|<>()\\`*?]""")
GIB = 2**30


def check_environment(python: str, results: str | Path, free_gib: float, temporary: str | Path | None = None) -> None:
    """Raise InputError that names every reason why no job could end well, one a line.

    `python` is the path of the interpreter, `results` the study's folder, which need not exist yet. Its disk and that
    of the folder for temporary files (TMPDIR if not given) must have `free_gib`; 0 does not ask.
    """
    problems = [*_python(python), *_results(Path(results))]
    if free_gib > 0 and not problems:
        problems += _disk(nearest(Path(results)), "results", free_gib)
        problems += _disk(Path(temporary or tempfile.gettempdir()), "temporary files (TMPDIR)", free_gib)
    if problems:
        raise MachineError("\n  ".join(problems))


def put_first(scripts: str | Path) -> None:
    """Make the processes that this one starts import from the folder before all that is installed.

    Snakemake appends the folder of a script to sys.path, so that an installed library of the same name comes first.
    """
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(scripts), *(path for path in others if path not in ("", str(scripts)))]
    )


def _python(python: str) -> Iterator[str]:
    """Whether Snakemake can start jobs with the interpreter."""
    if found := UNQUOTED.search(python):
        what = "a blank" if found[0].isspace() else f"the character {found[0]}"
        yield (
            f"the path of the Python environment has {what}, and Snakemake cannot start jobs with it: {python}. Make "
            "the environment in a folder without, as with `make demo VENV=$HOME/ctseg-venv`; project, data and results "
            "may stay where they are"
        )


def _results(results: Path) -> Iterator[str]:
    """Whether results can be written: to their folder and those in it, or to the nearest one that is there."""
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
    """Whether the disk of a folder has room."""
    free = shutil.disk_usage(folder).free
    if free < free_gib * GIB:
        yield (
            f"the disk for {what}, {folder.resolve()}, has {free / GIB:.2f} GiB free, less than the {free_gib:g} GiB "
            "of resources.free_disk_gib; free space, take a folder on another disk, or lower that number if your scans "
            "are small"
        )


def nearest(path: Path) -> Path:
    """The path, or the nearest one above it that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def main() -> None:
    """Say of the interpreter that is to be made at a path whether Snakemake could start jobs with it."""
    if problems := list(_python(os.path.abspath(sys.argv[1]))):  # noqa: PTH100 (a link is not to be followed)
        sys.exit(f"ctseg: {problems[0]}")


if __name__ == "__main__":
    main()
