"""The tests mirror the library: each module has a test file with its name, in the folder of its package ("room")."""

import ast

import pytest

from places import ROOT

TESTS, LIBRARY = ROOT / "tests", ROOT / "workflow_scripts" / "ctseg"
# Tests of the modules without their own test file.
EXCEPTIONS = {
    "__main__": "the command line, by tests/test_command.py",
    "command/endings": "exit codes, by tests/test_command.py",
    "command/one_scan": "`ctseg predict` with one scan, by tests/test_command.py",
    "command/predict": "its command line, by tests/test_command.py and tests/command/test_many_scans.py",
    "dicom_export/findings": "a plain record",
    "labels/formats": "the readers by their names, by tests/labels/test_read_label.py",
    "network/kinds": "what each network can do, by tests/catalogue/test_catalogue.py and tests/study/test_config.py",
    "report/gather": "the parts of a whole study, by tests/workflow/test_workflow.py",
    "report/model_parts": "with gather",
    "report/pictures": "with gather",
    "tuning/threshold_choice": "with threshold_scores, by tests/tuning/test_threshold_tables.py",
    "tuning/threshold_scores": "with threshold_choice, by tests/tuning/test_threshold_tables.py",
    "version": "a constant, which a release changes",
}
# Packages tested as a whole, by a test file with the name of the package.
AS_ONE = {"catalogue"}
# Tests of several modules of a package together.
TOGETHER = {
    "dicom/test_dcm2niix": "real series against another converter",
    "dicom/test_plain_pixels": "the stored values of slices against pydicom",
    "dicom/test_whole_series": "what becomes of a series as a whole",
    "report/test_report_browser": "the report in a browser",
    "scans/test_mutations": "files of each format, damaged at random",
    "scans/test_scan_geometry": "units, sizes and places in files of each format",
    "tuning/test_threshold_tables": "the tables of thresholds, from cases to the choice",
}
WHOLE_THINGS = {"workflow", "service", "page", "gpu", "slurm", "reported", "support"}
ON_TOP = {"test_command", "test_mirror", "test_rooms"}

MODULES = sorted(
    str(path.relative_to(LIBRARY).with_suffix("")) for path in LIBRARY.rglob("*.py") if path.name != "__init__.py"
)
FILES = sorted(path for path in TESTS.rglob("*.py") if "__pycache__" not in path.parts)
NAMES = {str(path.relative_to(TESTS).with_suffix("")) for path in FILES}


def test_name(module: str) -> str:
    """Path of the test file of a module below tests/, without suffix."""
    room, _, name = module.rpartition("/")
    if room in AS_ONE:
        name = room
    return f"{room}/test_{name}" if room else f"test_{name}"


test_name.__test__ = False


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_its_test_file(module):
    assert (test_name(module) in NAMES) != (module in EXCEPTIONS)


@pytest.mark.parametrize(
    "name", [name for name in sorted(NAMES) if name.split("/")[0] not in WHOLE_THINGS and "test_" in name]
)
def test_each_test_file_is_that_of_a_module_or_of_several_by_name(name):
    mirrors = name in {test_name(module) for module in MODULES}
    assert mirrors != (name in TOGETHER or name in ON_TOP)


def test_what_is_listed_is_there():
    assert EXCEPTIONS.keys() <= set(MODULES)
    assert TOGETHER.keys() | ON_TOP <= NAMES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_file_takes_anything_from_another(path):
    taken = {
        name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [part.name for part in node.names])
    }
    assert not {name for name in taken if name.split(".")[-1].startswith("test_") or name.split(".")[0] == "tests"}
