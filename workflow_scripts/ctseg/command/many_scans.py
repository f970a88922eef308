"""Segmentation of several scans with one model, one after the other; an error in one scan does not stop the others."""

import sys
import textwrap
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ctseg.command.endings import NO_MEMORY, aligned
from ctseg.command.one_scan import Wanted, segment_scan
from ctseg.command.outputs import Outputs, refuse_overwriting
from ctseg.command.progress import Progress
from ctseg.command.scan_table import Result
from ctseg.digits import two_decimals
from ctseg.errors import InputError, refusal
from ctseg.inference.engines import Engine

WIDTH = 80  # characters of the longest column on a terminal


def segment_scans(
    scans: Mapping[str, tuple[Path, Outputs]],
    engine: Engine,
    wanted: Wanted,
    progress: Progress,
    keep: Callable[[Sequence[Result]], None],
) -> list[Result]:
    """Segment scans; `scans` has path and outputs of each scan by the name of its results.

    `keep` is called after each scan with the results so far, which survive an end of the run. Raises OSError if the
    machine refuses to write, since it would refuse the results of the other scans, too.
    """
    results: list[Result] = []
    for number, (name, (scan, outputs)) in enumerate(scans.items(), start=1):
        progress.step(f"scan {number} of {len(scans)}: {name}")
        result = _result(name, scan, outputs, engine, wanted, progress)
        if result.reason:
            progress.tell([f"REFUSED: {result.reason}"])
        results.append(result)
        keep(results)
        engine.release_memory()
    return results


def _result(name: str, scan: Path, outputs: Outputs, engine: Engine, wanted: Wanted, progress: Progress) -> Result:
    """Segment one scan; an error becomes the reason of its refusal. Raises OSError for an error of the machine."""
    try:
        refuse_overwriting(scan, outputs.paths)
        return Result(name, scan, outputs.mask, segment_scan(scan, engine, wanted, outputs, progress))
    except Exception as error:
        if isinstance(error, OSError) and refusal(error) and not _is_of(error, scan):
            raise
        return Result(name, scan, outputs.mask, reason=_reason(error))


def _is_of(error: OSError, scan: Path) -> bool:
    """Whether an error is in reading the scan, such as a permission that its file lacks."""
    return isinstance(error.filename, str) and Path(error.filename).resolve().is_relative_to(scan.resolve())


def _reason(error: Exception) -> str:
    """The reason for the refusal of a scan; the traceback of an unexpected error goes to stderr."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, OSError) and refusal(error):
        return refusal(error)
    # An unusual scan must not stop the others; the table has no value of its header.
    traceback.print_exception(error, file=sys.stderr)
    return f"the scan could not be processed ({type(error).__name__}); please report this"


def _short(text: str) -> str:
    """A text cut to `WIDTH` characters for the terminal; the full text is in the file and was printed before."""
    return textwrap.shorten(text, WIDTH, placeholder=" …")


def lines(results: Sequence[Result], labels: Sequence[str]) -> list[str]:
    """The results as lines of a table for the terminal."""
    cells = [["scan", "lesions", *(f"{label}, cm³" for label in labels), "look twice"]]
    for result in results:
        if found := result.found:
            volumes = [two_decimals(found.volumes_cm3[label]) for label in labels]
            cells.append([result.name, str(found.in_all), *volumes, _short("; ".join(found.flags))])
        else:
            cells.append([result.name, "-", *("-" for _ in labels), _short(f"REFUSED: {result.reason}")])
    return aligned(cells)
