"""Coverage of the code hashes of scripts, compared with the independent check in reached_names.py."""

import pytest

from ctseg.provenance.library import BESIDE, Library
from places import SCRIPTS
from reached_names import reached

NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py") if path.stem not in BESIDE)


@pytest.fixture(scope="module")
def library():
    return Library(SCRIPTS)


def covered(library: Library, script: str) -> set[str]:
    """Modules with statements that count for the hash of a script."""
    found = library.reached_from(SCRIPTS / f"{script}.py")
    return {module for module, _ in found.digests if not module.startswith("__main__")}


@pytest.mark.parametrize("script", NAMES)
def test_a_rule_depends_on_the_modules_that_it_uses_a_name_of_and_on_no_other(library, script):
    used, found = reached(script), covered(library, script)
    assert used <= found
    # Statements that run when a module is imported also count.
    assert all(any(one.runs for one in library.source(module).statements) for module in found - used)


def test_hardly_any_module_that_is_imported_counts_for_all_scripts(library):
    everywhere = set.intersection(*(covered(library, script) for script in NAMES))
    assert len(everywhere) <= 2
