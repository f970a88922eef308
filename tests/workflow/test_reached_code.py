"""The code hash of a rule covers every function of the library that its jobs call in a study."""

import ast
import re
from collections import defaultdict
from functools import cache

import pytest

from ctseg.provenance.library import Library
from places import ROOT, SCRIPTS
from reached_names import defined
from studies import TINY, merged, snakemake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

STUDY = merged(
    TINY,
    {
        "infer": {"compare_cases": 1, "dicom": True, "uncertainty": True},
        "measure": {"probabilities": True, "stability": True},
    },
)


@pytest.fixture(scope="module")
def called(tmp_path_factory):
    """Top-level definitions of the library that the jobs of a study called, by script."""
    folder, notes = tmp_path_factory.mktemp("study"), tmp_path_factory.mktemp("notes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "tests" / "support" / "tracing"))
        patch.setenv("TRACED_CODE", f"{SCRIPTS}/")
        patch.setenv("TRACED_TO", str(notes))
        run = snakemake(folder, STUDY, "--resources", "gpu=0")
    assert run.returncode == 0, run.stdout
    found = defaultdict(set)
    for path in notes.iterdir():
        # Snakemake runs a copy of the script, tmp….train.py; the workflow itself also uses the library.
        if script := re.fullmatch(r"tmp\w+\.(\w+)\.py \d+", path.name):
            for line in path.read_text().splitlines():
                file, first = line.split("\t")
                if file.endswith(".py") and file.startswith("ctseg/") and (name := definition(file, int(first))):
                    found[script[1]].add(name)
    return found


@cache
def definitions(file):
    """First line, last line and first name of each top-level definition of a file."""
    nodes = ast.parse((SCRIPTS / file).read_text(encoding="utf-8")).body
    decorated = [
        (min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))]), node) for node in nodes
    ]
    return [(first, node.end_lineno, defined(node)[0]) for first, node in decorated if defined(node)]


def definition(file, line):
    """Module and name of the definition that contains a line; None for code that runs at import."""
    module = file.removesuffix(".py").replace("/", ".")
    return next(((module, name) for first, last, name in definitions(file) if first <= line <= last), None)


def covered(library, script):
    """Definitions (module, name) that count for the hash of a script."""
    nodes = library.reached_from(SCRIPTS / f"{script}.py").digests
    return {(module, name) for module, place in nodes for name in library.source(module).statements[place].names}


def test_all_that_jobs_call_counts_in_the_hash_of_their_code(called):
    assert {"make_phantom", "convert_image", "train", "infer", "report"} <= called.keys()
    library = Library(SCRIPTS)
    beside = covered(library, "job")
    missed = {script: names - covered(library, script) - beside for script, names in called.items()}
    assert {script: names for script, names in missed.items() if names} == {}
