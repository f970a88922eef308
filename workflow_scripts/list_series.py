"""Show what a folder of DICOM files holds, and which series ctseg would take: `list_series.py FOLDER [SERIES_UID]`.

Needs no study. The chosen series is read as the workflow reads it, with its warnings, or its refusal. The table goes to
the terminal alone, since it shows UIDs, as `series_uid` in a case table takes them.
"""

import sys

from ctseg.command.endings import aligned, printing
from ctseg.dicom.grouping import Stack, find_stacks
from ctseg.dicom.series import choose_stack
from ctseg.errors import InputError
from ctseg.scans.read_scan import read_scan

COLUMNS = ["patient", "modality", "images", "first_to_last_mm", "slice_distance_mm", "kernel", "image_type"]
COLUMNS += ["part", "series_uid", "use"]


def table(uses: list[tuple[Stack, str]]) -> list[list[str]]:
    """The header and a row for each stack with its use; patients are numbered from 1 in the order of the stacks."""
    patients: dict[str, int] = {}
    rows = [COLUMNS]
    for stack, use in uses:
        facts = stack.facts() | {"series_uid": stack.series_uid, "use": use, "image_type": "/".join(stack.image_type)}
        facts["patient"] = patients.setdefault(stack.patient, len(patients) + 1) if stack.patient else None
        rows.append(["-" if facts[column] in (None, "") else str(facts[column]) for column in COLUMNS])
    return rows


def uses(folder: str, series_uid: str | None) -> tuple[list[tuple[Stack, str]], str, list[str]]:
    """Stacks below the folder with their use, the chosen one first; the reason if no scan is read; scan warnings."""
    try:
        choice = choose_stack(folder, series_uid)
    except InputError as error:
        return [(stack, stack.problem) for stack in find_stacks(folder)], str(error), []
    try:
        use, problem, warnings = "CHOSEN", "", read_scan(folder, series_uid).facts["warnings"]
    except InputError as error:
        use, problem, warnings = "CHOSEN, BUT REFUSED", f"the chosen series is refused: {error}", []
    return [(choice.stack, use), *choice.others], problem, warnings


def main() -> None:
    """Print the table, the warnings and the problem."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        found, problem, warnings = uses(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else None)
    except InputError as error:
        sys.exit(f"ctseg: {error}")
    with printing():
        print(*aligned(table(found)), sep="\n")
    for line in warnings:
        print(f"ctseg: {line}", file=sys.stderr)
    sys.exit(f"ctseg: {problem}" if problem else 0)


if __name__ == "__main__":
    main()
