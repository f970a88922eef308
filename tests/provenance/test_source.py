"""Statements of a Python file, with the names that they define and use."""

import pytest

from ctseg.provenance.source import parse

CODE = b'''"""Docstring."""
from __future__ import annotations
import os.path
import numpy as np
from typing import TYPE_CHECKING
from . import beside
from ..other import thing as renamed
if TYPE_CHECKING:
    from hints import Hint

FIRST, SECOND = 1, np.pi
table: dict[str, Hint] = {"a": renamed}
table["b"] = 2

@register("x")
def registered(): ...

@functools.lru_cache(maxsize=None)
def plain(value: Hint = FIRST) -> Hint:
    """Docstring."""
    from late import inner
    return inner(beside.call(value), os.sep)
'''


@pytest.fixture(scope="module")
def source():
    return parse(CODE, "pkg.deep.module", is_package=False, path="module.py")


def test_each_statement_defines_names_or_runs(source):
    assert [(one.names, one.runs) for one in source.statements] == [
        (("FIRST", "SECOND"), False),
        (("table",), False),
        ((), True),
        (("registered",), True),
        (("plain",), False),
    ]


def test_imports_bind_names_from_where_they_are_written(source):
    bound = {name: place for name, *place in source.bindings}
    assert bound["os"] == ["os.path", ""]
    assert bound["np"] == ["numpy", ""]
    assert bound["beside"] == ["pkg.deep", "beside"]
    assert bound["renamed"] == ["pkg.other", "thing"]
    assert "Hint" not in bound


def test_a_function_uses_names_but_not_those_of_annotations(source):
    plain = source.statements[-1]
    assert ("FIRST", "") in plain.references
    assert ("beside", "call") in plain.references
    assert "Hint" not in {name for name, _ in plain.references}
    assert plain.bindings == (("inner", "late", "inner"),)


def test_an_import_that_nothing_mentions_is_unused(source):
    assert {name for name, *_ in source.unused} == {"annotations", "TYPE_CHECKING"}


def test_a_package_imports_from_itself():
    (binding,) = parse(b"from .inner import name", "pkg", is_package=True, path="__init__.py").bindings
    assert binding == ("name", "pkg.inner", "name")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("def f(x: int) -> str: return x", True),
        ("def f(x):\n    '''Doc.'''\n    import os\n    return x", True),
        ("def f(y): return y", False),
        ("def f(x): return +x", False),
    ],
)
def test_a_digest_stands_for_what_code_does(other, same):
    first, second = (parse(text.encode(), "m", False, "m.py").statements[0] for text in ("def f(x): return x", other))
    assert (first.digest == second.digest) == same


def test_of_a_log_message_its_values_count():
    texts = ["logger.info('%d cases', n)", "logger.info('%d scans', n)", "logger.info('%d scans', m)"]
    first, second, third = (parse(text.encode(), "m", False, "m.py").statements[0].digest for text in texts)
    assert first == second != third
