"""Numbers for the series of an upload, so that clients can see the segmented series and choose another.

Series are numbered from 1 in the order of their UIDs: the same upload has the same numbers, and no UID is disclosed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctseg.dicom.grouping import Stack, find_stacks
from ctseg.dicom.series import Choice
from ctseg.errors import ScanError

SHOWN = ("modality", "images", "slice_distance_mm", "slice_thickness_mm", "kernel", "part")
CHOSEN = "chosen"


def numbers_of(stacks: list[Stack]) -> dict[str, int]:
    """Number of each series, by its UID."""
    return {uid: number for number, uid in enumerate(sorted({stack.series_uid for stack in stacks}), start=1)}


def uid_of(folder: Path, number: int) -> str:
    """UID of the series with a number. Raises ScanError if the number is too large."""
    numbers = numbers_of(find_stacks(folder))
    if number > len(numbers):
        raise ScanError(f"the zip holds {len(numbers)} series, so there is no series {number}; give a smaller number")
    return next(uid for uid, known in numbers.items() if known == number)


def listed_alone(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Result of `listed` for a folder with only the chosen stack, from the facts of the scan."""
    shown = {name: facts["chosen"].get(name) for name in SHOWN}
    return {"number": 1, "count": 1, "stacks": [{"number": 1, **shown, "use": CHOSEN}]}


def listed(choice: Choice) -> dict[str, Any]:
    """Number of the chosen series, count of series, and all stacks of images with series number and use."""
    uses = [(choice.stack, CHOSEN), *choice.others]
    numbers = numbers_of([stack for stack, _ in uses])
    stacks = []
    for stack, use in uses:
        facts = stack.facts()
        shown = {name: facts.get(name) for name in SHOWN}
        stacks.append({"number": numbers[stack.series_uid], **shown, "use": use})
    stacks.sort(key=lambda stack: (stack["number"], stack["use"] != CHOSEN))
    return {"number": numbers[choice.stack.series_uid], "count": len(numbers), "stacks": stacks}
