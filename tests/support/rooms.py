"""Packages ("rooms") of the library, their layers ("floors"), and the imports between them.

    python tests/support/rooms.py

redraws the diagram in docs/ARCHITECTURE.md from the imports.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from places import ROOT, SCRIPTS

LIBRARY = SCRIPTS / "ctseg"
PAGE = ROOT / "docs" / "ARCHITECTURE.md"
GROUND = {
    "errors",
    "files",
    "file_hash",
    "file_types",
    "folders",
    "decisions",
    "digits",
    "hardware",
    "colours",
    "plurals",
    "version",
}
FLOORS = (  # from the lowest layer up
    GROUND,
    {"geometry"},
    {"masks", "dicom", "network", "provenance"},
    {"scans", "phantom", "preprocessing", "jobs", "catalogue"},
    {"labels"},
    {"lungs", "study"},
    {"inference"},
    {"training", "tuning"},
    {"export", "evaluation", "dicom_export"},
    {"report", "bundle", "lung_training"},
    {"command"},
    {"__main__"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def modules() -> list[Path]:
    """All files of the library except ctseg/__init__.py."""
    return sorted(path for path in LIBRARY.rglob("*.py") if path != LIBRARY / "__init__.py")


def room_of(path: Path) -> str:
    """Package of a module, or the name of a module outside of packages."""
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[str]:
    """Rooms that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "ctseg":
            yield from (alias.name for alias in node.names if alias.name in FLOOR_OF)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ctseg."):
            yield (node.module or "").split(".")[1]


def arrows() -> set[tuple[str, str]]:
    """Pairs (importing room, imported room), without the lowest floor, which all rooms import."""
    found = {(room_of(path), room) for path in modules() for room in imported_rooms(path)}
    return {(room, other) for room, other in found if room != other and not {room, other} & GROUND}


def direct(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Pairs that are not implied by a longer path of other pairs."""

    def reached(room: str, without: tuple[str, str]) -> set[str]:
        seen, waiting = set(), [room]
        while waiting:
            here = waiting.pop()
            new = {other for first, other in pairs - {without} if first == here} - seen
            seen |= new
            waiting.extend(new)
        return seen

    return {pair for pair in pairs if pair[1] not in reached(pair[0], pair)}


def picture() -> str:
    """Flow chart of the rooms in the syntax of Mermaid, one row per floor."""
    lines = ["```mermaid", "flowchart TB"]
    for floor, rooms in reversed(list(enumerate(FLOORS[1:], start=1))):
        lines.append(f"    subgraph floor{floor}[ ]")
        lines.extend(f"        {room.strip('_')}" for room in sorted(rooms))
        lines.append("    end")
    lines.extend(f"    {room.strip('_')} --> {other}" for room, other in sorted(direct(arrows())))
    return "\n".join([*lines, "```"])


def with_picture(text: str) -> str:
    """Text of the page with the current diagram."""
    before, _, rest = text.partition("```mermaid\n")
    return before + picture() + rest.partition("```")[2]


if __name__ == "__main__":
    PAGE.write_text(with_picture(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
