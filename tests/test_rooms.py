"""Packages ("rooms") of ctseg import only packages of lower layers, and their `__init__.py` has only a docstring."""

import ast

import pytest

from rooms import FLOOR_OF, LIBRARY, PAGE, imported_rooms, modules, room_of, with_picture


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(LIBRARY)))
def test_arrows_point_down(path):
    own = room_of(path)
    above = {room for room in imported_rooms(path) if room != own and FLOOR_OF[room] >= FLOOR_OF[own]}
    assert not above, f"{own} may not import {', '.join(sorted(above))}"


def test_each_room_stands_on_a_floor():
    assert {room_of(path) for path in modules()} == set(FLOOR_OF)


@pytest.mark.parametrize("face", sorted(LIBRARY.glob("*/__init__.py")), ids=lambda face: face.parent.name)
def test_a_face_says_what_the_room_is_and_imports_nothing(face):
    statements = ast.parse(face.read_text(encoding="utf-8")).body
    assert [type(statement) for statement in statements] == [ast.Expr]


def test_the_picture_in_the_documentation_is_made_from_the_imports():
    text = PAGE.read_text(encoding="utf-8")
    assert with_picture(text) == text, "run python tests/support/rooms.py"
