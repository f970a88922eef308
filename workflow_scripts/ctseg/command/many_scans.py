"""Segmentation of several scans with one model, one after the other; an error in one scan does not stop the others."""

import sys
import textwrap
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctseg.command.endings import NO_MEMORY, aligned
from ctseg.command.one_scan import Found, Wanted, segment_scan
from ctseg.command.outputs import Outputs, refuse_overwriting
from ctseg.command.progress import Progress
from ctseg.digits import four_decimals, two_decimals
from ctseg.errors import InputError
from ctseg.files import Format, write_table
from ctseg.inference.engines import Engine

WIDTH = 80  # characters of the longest column on a terminal


@dataclass(frozen=True)
class Result:
    """Result of a scan: the findings, or the reason of its refusal."""

    name: str
    scan: Path
    outputs: Outputs
    found: Found | None = None
    reason: str = ""


def segment_scans(
    scans: Mapping[str, tuple[Path, Outputs]], engine: Engine, wanted: Wanted, progress: Progress
) -> list[Result]:
    """Segment scans; `scans` has path and outputs of each scan by the name of its results."""
    results = []
    for number, (name, (scan, outputs)) in enumerate(scans.items(), start=1):
        progress.step(f"scan {number} of {len(scans)}: {name}")
        result = _result(name, scan, outputs, engine, wanted, progress)
        if result.reason:
            progress.tell([f"REFUSED: {result.reason}"])
        results.append(result)
        engine.release_memory()
    return results


def _result(name: str, scan: Path, outputs: Outputs, engine: Engine, wanted: Wanted, progress: Progress) -> Result:
    """Segment one scan; an error becomes the reason of its refusal."""
    try:
        refuse_overwriting(scan, outputs.paths)
        return Result(name, scan, outputs, segment_scan(scan, engine, wanted, outputs, progress))
    except InputError as error:
        reason = str(error)
    except MemoryError:
        reason = NO_MEMORY
    except Exception as error:  # an unusual scan must not stop the others; the table has no value of its header
        traceback.print_exc(file=sys.stderr)
        reason = f"the scan could not be processed ({type(error).__name__}); please report this"
    return Result(name, scan, outputs, reason=reason)


def write_results(results: Sequence[Result], labels: Sequence[str], path: Path) -> None:
    """Write a row for each scan: lesions, volume of each label in cm³ and flags, or the reason of its refusal."""
    volumes = dict.fromkeys((f"{label}_cm3" for label in labels), four_decimals)
    formats: dict[str, Format] = {"name": "", "result": "", "lesions": "", **volumes}
    formats |= dict.fromkeys(("flags", "reason", "mask", "scan"), "")
    write_table(path, formats, [dict.fromkeys(formats) | _row(result) for result in results])


def _row(result: Result) -> dict[str, Any]:
    """The table row of a scan."""
    row: dict[str, Any] = {"name": result.name, "scan": str(result.scan)}
    if not result.found:
        return row | {"result": "refused", "reason": one_line(result.reason)}
    row |= {f"{label}_cm3": volume for label, volume in result.found.volumes_cm3.items()}
    row |= {"result": "done", "lesions": result.found.in_all, "flags": "; ".join(result.found.flags)}
    return row | {"mask": str(result.outputs.mask)}


def one_line(text: str) -> str:
    """A text with a single space for each run of white space, so that it fits into one cell."""
    return " ".join(text.split())


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
