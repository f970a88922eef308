"""A room of ctseg imports only rooms on lower floors, and its face (`__init__.py`) imports nothing.

The second half guards the rerun promise: `code_hash` counts a package's face for every module in it, so a face that
handed names on would rerun every rule of the room for a change in any of its modules.
"""

import ast
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[1] / "workflow_scripts" / "ctseg"
FLOORS = (  # from the ground up
    {"errors", "files", "file_types", "decisions", "hardware", "colours", "plurals", "version"},
    {"geometry"},
    {"masks", "dicom", "network", "provenance"},
    {"scans", "phantom", "preprocessing", "jobs"},
    {"labels"},
    {"lungs", "study"},
    {"inference"},
    {"training", "tuning"},
    {"export", "evaluation", "dicom_export"},
    {"report"},
    {"__main__"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path):
    """The package of a module, or the module itself where it stands on the ground."""
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imported_rooms(path):
    """The rooms that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "ctseg":
            yield from (alias.name for alias in node.names if alias.name in FLOOR_OF)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ctseg."):
            yield node.module.split(".")[1]


MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path.parent != LIBRARY or path.name != "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_arrows_point_down(path):
    own = room_of(path)
    above = {room for room in imported_rooms(path) if room != own and FLOOR_OF[room] >= FLOOR_OF[own]}
    assert not above, f"{own} may not import {', '.join(sorted(above))}"


@pytest.mark.parametrize("face", sorted(LIBRARY.glob("*/__init__.py")), ids=lambda face: face.parent.name)
def test_a_face_says_what_the_room_is_and_imports_nothing(face):
    statements = ast.parse(face.read_text(encoding="utf-8")).body
    assert [type(statement) for statement in statements] == [ast.Expr]
