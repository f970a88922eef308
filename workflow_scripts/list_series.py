"""Show what a folder of DICOM files holds, and which series ctseg would take: `list_series.py FOLDER [SERIES_UID]`.

Needs no study. The table goes to the terminal alone, since it shows the UIDs that `series_uid` in a case table takes.
"""

import sys

from ctseg.dicom_series import Stack, choose_stack, find_stacks
from ctseg.errors import InputError

COLUMNS = ["modality", "images", "length_mm", "slice_distance_mm", "kernel", "image_type", "part", "series_uid", "use"]


def cells(stack: Stack, use: str) -> list[str]:
    """The row of a stack."""
    facts = stack.facts() | {"series_uid": stack.series_uid, "use": use, "image_type": "/".join(stack.image_type)}
    return ["-" if facts[column] in (None, "") else str(facts[column]) for column in COLUMNS]


def rows(folder: str, series_uid: str | None) -> list[list[str]]:
    """A row for each stack of images below the folder, the chosen one first."""
    try:
        choice = choose_stack(folder, series_uid)
    except InputError:
        return [cells(stack, stack.problem) for stack in find_stacks(folder)]
    return [cells(choice.stack, "CHOSEN"), *(cells(stack, reason) for stack, reason in choice.others)]


def main() -> None:
    """Print the table, or what is wrong."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        table = [COLUMNS, *rows(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else None)]
    except InputError as error:
        sys.exit(f"ctseg: {error}")
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if len(table) == 1:
        print("no DICOM file in it")


if __name__ == "__main__":
    main()
