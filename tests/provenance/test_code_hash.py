import json
import os
import shutil
import subprocess
import sys

import pytest

from ctseg.provenance.code_hash import code_hash, code_hashes, files_hash
from places import SCRIPTS

FILES = {
    "train.py": '''
"""Train."""
import os
import numpy as np
from tool import job
from pkg import first

def run():
    from pkg.third import late  # only when needed
    return late(first.value(np, os))
''',
    "tool.py": "def job(): return 1\n",
    "pkg/__init__.py": '"""The package."""\nNAME = "pkg"\n',
    "pkg/first.py": '''
"""First."""
from . import second
from .second import (number,
                     other as another)

def value(np, os):
    """Doc."""
    # a comment
    return np.array([number(), 'text',   None, 1.5])
''',
    "pkg/second.py": "import pkg.deep.inner\ndef number(): return 2\ndef other(): ...\n",
    "pkg/third.py": "async def late(x): return x\n",
    "pkg/deep/__init__.py": "",
    "pkg/deep/inner.py": "from .. import fourth\nfrom ..fourth import *\n",
    "pkg/fourth.py": "class Four:\n    size: int = 4\n",
    "pkg/unused.py": "X = 1\n",
    "other_script.py": "import pkg.unused\n",
}
REACHED = sorted(set(FILES) - {"pkg/unused.py", "other_script.py"})


@pytest.fixture
def hash_with(tmp_path_factory):
    """Function that hashes a script (train.py by default) in a new folder, with some changed files."""

    def hash_of(changes: dict[str, str] | None = None, script: str = "train.py") -> str:
        folder = tmp_path_factory.mktemp("scripts")
        for name, text in (FILES | (changes or {})).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        return code_hash(script, folder)

    return hash_of


@pytest.mark.parametrize(
    ("pins", "counts"),
    [
        ("numpy==3.0\nscikit-image==1\ntorch==1\n", True),
        ("numpy==2.0\nscikit-image==2\ntorch==1\n", True),
        ("numpy==2.0\nscikit-image==1\ntorch==2\n", False),
        ("# what is needed\ntorch==1\nscikit-image==1\nnumpy[extra]==2.0\n", False),
    ],
    ids=["a package that is imported", "by another name", "a package that is not", "order and comments"],
)
def test_the_version_of_a_package_counts_where_it_is_imported(tmp_path, pins, counts):
    (tmp_path / "script.py").write_text("import numpy.linalg\ndef late():\n    from skimage import measure\n")
    (tmp_path / "before.txt").write_text("numpy==2.0\nscikit-image==1\ntorch==1\n")
    (tmp_path / "after.txt").write_text(pins)
    hashes = {code_hash("script.py", tmp_path, tmp_path / name) for name in ("before.txt", "after.txt")}
    assert len(hashes) == 1 + counts


def test_the_hash_is_short_and_knows_no_folder(hash_with):
    assert hash_with() == hash_with()
    assert len(hash_with()) == 16
    assert int(hash_with(), 16) >= 0


@pytest.mark.parametrize("name", REACHED)
def test_what_runs_at_an_import_counts(hash_with, name):
    assert hash_with({name: FILES[name] + "\nprint(1)\n"}) != hash_with()


HELPER = "def helper(given): return given\n"
USED = {
    "script.py": """
from typing import TYPE_CHECKING

import numpy as np

from job import job
from lib import numbers
from lib.again import area as size
from lib.shapes import Ball, volume
from lib.tables import TABLE
if TYPE_CHECKING:
    from lib.hints import Hint

def run(ball: Ball, hint: "Hint") -> None:
    from lib.late import late
    with job():
        return late(size(2), numbers.two(), volume(ball), TABLE["x"], np.pi)
""",
    "job.py": "import lib.jobs\ndef job(): lib.jobs.log()\n",
    "lib/__init__.py": "",
    "lib/jobs.py": "def log(): pass\n",
    "lib/hints.py": "class Hint: pass\n",
    "lib/late.py": """
log = 1
def late(*given):
    log.info("%d given", len(given))
    return helper(given)
def unused(): pass
"""
    + HELPER,
    "lib/again.py": "from lib.shapes import area\n",
    "lib/numbers.py": "def two(): return ONE + 1\nONE = 1\ndef three(): return 3\n",
    "lib/tables.py": "def build(): return 1\nTABLE = {'x': build}\nOTHER = {}\nOTHER['y'] = 2\n",
    "lib/shapes.py": """
import scipy
def area(radius): return radius**2
def volume(ball): return ball.radius**3
class Ball:
    def __init__(self): self.radius = 1
    def grow(self): return Box
class Box:
    edge = scipy.pi
""",
}


@pytest.mark.parametrize(
    ("name", "old", "new", "counts"),
    [
        ("lib/late.py", "return given", "return given[0]", True),
        ("lib/late.py", "def unused(): pass", "def unused(): return 1", False),
        ("lib/late.py", "def unused(): pass", "", False),
        ("lib/shapes.py", "return radius**2", "return radius**3", True),
        ("lib/again.py", "import area", "import volume as area", True),
        ("lib/numbers.py", "ONE = 1", "ONE = 2", True),
        ("lib/numbers.py", "return 3", "return 4", False),
        ("lib/tables.py", "return 1", "return 2", True),
        ("lib/tables.py", "OTHER['y'] = 2", "OTHER['y'] = 3", True),
        ("lib/shapes.py", "self.radius = 1", "self.radius = 2", False),
        ("lib/hints.py", "pass", "x = 1", False),
        ("lib/jobs.py", "pass", "return 1", False),
        ("script.py", "-> None", "-> int", False),
        ("lib/late.py", '"%d given"', '"now %d"', False),
        ("lib/late.py", "len(given)", "len(given[0])", True),
        ("lib/late.py", "log = 1", "log = 2", True),
        ("script.py", "lib import numbers", "lib import tables as numbers", True),
        ("script.py", "numpy as np", "math as np", True),
        ("script.py", "volume(ball)", "volume(Ball())", True),
        ("script.py", "numbers.two()", "vars(numbers)", True),
    ],
)
def test_a_definition_counts_where_it_is_used(tmp_path, name, old, new, counts):
    assert old in USED[name]
    changed = hash_of_used(tmp_path / "changed", {name: USED[name].replace(old, new, 1)})
    assert (changed != hash_of_used(tmp_path / "before", {})) == counts


@pytest.mark.parametrize(
    ("first", "name", "old", "new"),
    [
        (("volume(ball)", "volume(Ball())"), "lib/shapes.py", "self.radius = 1", "self.radius = 2"),
        (("volume(ball)", "volume(Ball())"), "lib/shapes.py", "edge = scipy.pi", "edge = 3"),
        (("numbers.two()", "vars(numbers)"), "lib/numbers.py", "return 3", "return 4"),
        (("late(size", "late(Hint, size"), "lib/numbers.py", "ONE = 1", "ONE = 3"),
    ],
    ids=["constructor of a class", "what a method names", "module that is handed on", "name for types alone"],
)
def test_what_else_a_script_uses_counts(tmp_path, first, name, old, new):
    script = USED["script.py"].replace(*first)
    before = hash_of_used(tmp_path / "before", {"script.py": script})
    assert hash_of_used(tmp_path / "after", {"script.py": script, name: USED[name].replace(old, new)}) != before


def test_a_definition_may_move_to_another_module(tmp_path):
    moved = {
        "lib/numbers.py": "from lib.moved import ONE\ndef two(): return ONE + 1\n",
        "lib/moved.py": "ONE = 1\n",
        "lib/late.py": "from lib.deep.helpers import helper\n" + USED["lib/late.py"].replace(HELPER, ""),
        "lib/deep/__init__.py": "",
        "lib/deep/helpers.py": HELPER,
    }
    assert hash_of_used(tmp_path / "after", moved) == hash_of_used(tmp_path / "before", {})


@pytest.mark.parametrize("changed", ["inner", "outer", "own"])
def test_each_thing_that_a_name_may_stand_for_counts(tmp_path, changed):
    files = {
        "script.py": "from middle import run\nrun(1)\n",
        "middle.py": """
from outer import tool
def tool(): return 'own'
def run(how):
    if how:
        from inner import tool
    return tool()
""",
        "inner.py": "def tool(): return 'inner'\n",
        "outer.py": "def tool(): return 'outer'\n",
    }
    found = set()
    for value in (changed, "another"):
        (tmp_path / value).mkdir()
        for name, text in files.items():
            (tmp_path / value / name).write_text(text.replace(f"'{changed}'", f"'{value}'"))
        found.add(code_hash("script.py", tmp_path / value))
    assert len(found) == 2


@pytest.mark.parametrize("package", ["numpy", "scipy"])
def test_a_package_counts_where_a_definition_that_counts_uses_it(tmp_path, package):
    pins = [("a.txt", "numpy==1\nscipy==1\n"), ("b.txt", f"numpy==1\nscipy==1\n{package}==2\n")]
    for name, text in pins:
        (tmp_path / name).write_text(text)
    found = {hash_of_used(tmp_path / "code", {}, tmp_path / name) for name, _ in pins}
    assert len(found) == 1 + (package == "numpy")  # only Box needs scipy


def hash_of_used(folder, changes: dict[str, str], requirements=None) -> str:
    """Hash of script.py with some changed files."""
    for name, text in (USED | changes).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return code_hash("script.py", folder, requirements)


def test_the_hashes_of_all_scripts_are_kept_until_a_file_changes(tmp_path, monkeypatch):
    hash_of_used(tmp_path / "code", {})
    pins, kept = tmp_path / "pins.txt", tmp_path / "kept" / "code.json"
    pins.write_text("numpy==1\n")
    first = code_hashes(tmp_path / "code", pins, kept)
    assert first == {"script": code_hash("script.py", tmp_path / "code", pins)}
    with monkeypatch.context() as patch:
        patch.setattr("ctseg.provenance.code_hash.code_hash", None)
        assert code_hashes(tmp_path / "code", pins, kept) == first
    newer = tmp_path / "newer.txt"
    newer.write_text("numpy==2\n")
    assert code_hashes(tmp_path / "code", newer, kept) != first
    kept.write_text("{")
    assert code_hashes(tmp_path / "code", pins, kept).keys() == first.keys()
    assert json.loads(kept.read_text())["hashes"].keys() == first.keys()


def test_hashes_need_no_folder_to_keep_them_in(tmp_path):
    hash_of_used(tmp_path / "code", {})
    (tmp_path / "file").write_text("")
    (tmp_path / "pins.txt").write_text("")
    assert code_hashes(tmp_path / "code", tmp_path / "pins.txt", tmp_path / "file" / "code.json")


@pytest.mark.parametrize("name", REACHED)
def test_comments_and_docstrings_do_not_count(hash_with, name):
    text = (
        FILES[name].removeprefix('\n"""Train."""').removeprefix('\n"""First."""').replace('"""Doc."""', '"""Other."""')
    )
    assert hash_with({name: f'"""New."""\n# new\n\n{text}\n# end\n'}) == hash_with()


def test_formatting_does_not_count(hash_with):
    first = """
from . import second
from .second import number, other as another


def value(
    np,
    os,
):
    return np.array(
        [
            number(),
            "text",
            None,
            (1.5),
        ]
    )
"""
    assert hash_with({"pkg/first.py": first}) == hash_with()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.5", "1.50001"),
        ("1.5", "True"),
        ("None", "0"),
        ("'text'", "b'text'"),
        ("'text'", "'Text'"),
        ("'text',   None", "None, 'text'"),
        ("return np", "yield np"),
        ("def value(np, os)", "def value(np, os=1)"),
        ("def value(np, os)", "def value(np, *, os)"),
        ("number()", "not number()"),
        ("number()", "number"),
        ("number()", "number(**{None: 1})"),
        ("number()", "[*number()]"),
    ],
)
def test_small_changes_count(hash_with, old, new):
    text = FILES["pkg/first.py"]
    assert old in text
    assert hash_with({"pkg/first.py": text.replace(old, new)}) != hash_with()


def test_files_that_are_not_reached_do_not_count(hash_with):
    assert hash_with({"pkg/unused.py": "X = 2\n", "pkg/new.py": "Y = 1\n", "notes.txt": "x"}) == hash_with()


def test_an_import_brings_its_module_in(hash_with):
    with_import = FILES["train.py"] + "\nimport pkg.unused\n"
    assert hash_with({"train.py": with_import}) != hash_with()
    assert hash_with({"train.py": with_import, "pkg/unused.py": "X = 2\n"}) != hash_with({"train.py": with_import})


def test_the_place_of_a_function_counts(hash_with):
    swapped = {"pkg/third.py": FILES["tool.py"], "tool.py": FILES["pkg/third.py"]}
    assert hash_with(swapped) != hash_with()


def test_scripts_have_their_own_hashes(hash_with):
    assert hash_with(script="other_script.py") != hash_with()


def test_a_script_may_be_given_as_an_absolute_path(tmp_path):
    (tmp_path / "a.py").write_text("A = 1\n")
    assert code_hash(tmp_path / "a.py", tmp_path) == code_hash("a.py", tmp_path)


def test_modules_that_import_each_other_end(hash_with):
    assert hash_with({"pkg/second.py": "from pkg import first\ndef number(): ...\n"}) != hash_with()


def test_missing_scripts_and_bad_syntax_are_told(hash_with):
    with pytest.raises(OSError, match=r"absent\.py"):
        hash_with(script="absent.py")
    with pytest.raises(SyntaxError):
        hash_with({"tool.py": "def ("})


def test_touching_and_moving_this_projects_code_changes_nothing(tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(SCRIPTS, moved, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for path in moved.rglob("*.py"):
        os.utime(path, (1, 1))
    assert code_hash("ctseg/study/cases.py", moved) == code_hash("ctseg/study/cases.py", SCRIPTS)


def test_the_hash_does_not_depend_on_the_seed_of_pythons_own_hash():
    command = "from ctseg.provenance.code_hash import code_hash; print(code_hash('ctseg/study/cases.py', '.'))"
    results = {
        subprocess.run(
            [sys.executable, "-c", command],
            cwd=SCRIPTS,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert results == {code_hash("ctseg/study/cases.py", SCRIPTS) + "\n"}


def test_the_bytes_of_all_files_of_a_folder_count(tmp_path):
    (tmp_path / "page.html").write_text("<p>")
    (tmp_path / "style.css").write_text("p {}")
    before = files_hash(tmp_path)
    assert len(before) == 16
    (tmp_path / "style.css").write_text("p { }")
    assert files_hash(tmp_path) != before
