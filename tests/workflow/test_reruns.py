"""Check of docs/reruns.md: each change is made in a finished study, and a dry run must plan the rules in the table.

A row names the rules that a change affects first; all rules that depend on them also run, and no others.
"""

import ast
import os
import re
import shutil
from contextlib import ExitStack
from functools import cache

import pytest
import yaml

import studies
from ctseg.phantom.cases import phantom_case, phantom_label_name
from ctseg.study.cases import Case
from ctseg.study.splits import assign_splits
from places import ROOT
from reached_names import defined
from studies import TINY, copy_checkout, merged, planned, planned_jobs, snakemake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STUDY = merged(TINY, {"infer": {"compare_cases": 1}})
# These keys change the rules of the study or their dependencies.
OTHER_GRAPH = {"infer.dicom", "infer.uncertainty", "measure.probabilities", "target.region"}
DEFAULTS = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def table(heading):
    """Rows of a table in docs/reruns.md: the change, and the rules that it affects first."""
    text = (
        (ROOT / "docs" / "reruns.md").read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    )
    rows = re.findall(r"^\| `(.+)` \| (.+) \|$", text, re.MULTILINE)
    assert rows, heading
    return [(change, frozenset(re.findall(r"`(\w+)`", reached))) for change, reached in rows]


CONFIG, MODULES, PACKAGES = table("The config"), table("The code"), table("Packages")


def test_the_table_has_a_row_for_every_key_of_the_config():
    keys = {change.partition(":")[0] for change, _ in CONFIG}
    sources = {
        f"cases.{key}" for key in ("source", "table", "image", "label", "folder", "corrections")
    }  # these keys select other cases
    beside_others = {
        "network.deep_supervision",
        "network.stem",
        "train.freeze_encoder",
        "measure.groups",
        "infer.precision",
    }
    known = set(leaves(DEFAULTS))
    assert known - keys == sources | beside_others | {"study", "model"}
    assert len(CONFIG) + len(MODULES) + len(PACKAGES) >= 60


def leaves(config, prefix=""):
    """Names of all keys with values, and of the mappings with free names."""
    free = ("target.labels", "target.roi_names", "train.class_weights")
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name not in free:
            yield from leaves(value, f"{name}.")
        else:
            yield name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with a copy of the workflow, which tests can change, and the finished study."""
    folder = tmp_path_factory.mktemp("reruns")
    (folder / "code").mkdir()
    copy_checkout(folder / "code")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "ROOT", folder / "code")
        run = snakemake(folder, STUDY, "--resources", "gpu=0")
        assert run.returncode == 0, run.stdout
        yield folder


@pytest.fixture(scope="module")
def below(folder):
    """Function that returns a set of rules and all rules that depend on them in a study."""

    @cache
    def edges(text):
        run = snakemake(folder, yaml.safe_load(text), "--rulegraph", "--forceall")
        names = dict(re.findall(r'(\d+)\[label ?= ?"(\w+)', run.stdout))
        return [(names[first], names[second]) for first, second in re.findall(r"(\d+) -> (\d+)", run.stdout)]

    def reached(rules, study):
        found, waiting = set(rules), list(rules)
        while waiting:
            rule = waiting.pop()
            following = {second for first, second in edges(yaml.safe_dump(study)) if first == rule} - found
            found |= following
            waiting += following
        return found - {"all"}

    return reached


@pytest.mark.parametrize(("change", "reached"), CONFIG, ids=[change for change, _ in CONFIG])
def test_a_key_of_the_config(folder, below, change, reached):
    ((key, value),) = yaml.safe_load(change).items()
    for part in reversed(key.split(".")):
        value = {part: value}
    study = merged(STUDY, value)
    if key == "train.init_from":
        shutil.copy(folder / "results/tiny/folds/0/weights.pt", folder / value["train"]["init_from"])
    assert planned(folder, study) == below(reached, study if key in OTHER_GRAPH else STUDY)


@pytest.mark.parametrize(("module", "reached"), MODULES, ids=[module for module, _ in MODULES])
def test_the_code_of_a_module(folder, below, module, reached):
    path, _, name = module.partition(": ")
    with changed(folder / "code" / "workflow_scripts" / path, lambda text: all_defined_anew(text, name)):
        assert planned(folder, STUDY) == below(reached, STUDY)


@pytest.mark.parametrize(("package", "reached"), PACKAGES, ids=[package for package, _ in PACKAGES])
def test_the_version_of_a_package(folder, below, package, reached):
    def newer(text):
        found, count = re.subn(rf"(?m)^({re.escape(package)}(?:\[.*\])?)==.*$", r"\1==99", text)
        assert count == 1
        return found

    with changed(folder / "code" / "requirements.txt", newer):
        assert planned(folder, STUDY) == below(reached, STUDY)


def all_defined_anew(text, only=""):
    """Code of a module with an additional definition of all of its names, or only of the name `only`."""
    names = [name for node in ast.parse(text).body for name in defined(node) if only in ("", name)]
    assert names
    return "\n".join([text, *(f"{name} = {name}" for name in names)])


class changed:
    """Context manager that changes a text file and restores its content, but not its modification time."""

    def __init__(self, path, change):
        self.path, self.before = path, path.read_text(encoding="utf-8")
        self.after = change(self.before)

    def __enter__(self):
        assert self.after != self.before
        self.path.write_text(self.after, encoding="utf-8")

    def __exit__(self, *_):
        self.path.write_text(self.before, encoding="utf-8")


def test_what_changes_nothing(folder):
    scripts = folder / "code" / "workflow_scripts"
    for path in (folder / "code").rglob("*"):
        os.utime(path)
    assert planned(folder, STUDY) == set()
    segment = scripts / "ctseg" / "lungs" / "segment.py"
    with changed(segment, lambda text: '"""Another docstring."""\n# A comment.\n' + text):
        assert planned(folder, STUDY) == set()
    with changed(segment, lambda text: text + "\n\nNEW = 1\n\n\ndef nobody_calls():\n    return NEW\n"):
        assert planned(folder, STUDY) == set()
    with changed(scripts / "ctseg" / "study" / "archives.py", all_defined_anew):
        assert planned(folder, STUDY) == set()  # it only finds cases; no job uses it


def test_another_lung_network_reaches_the_lung_field_where_it_is_used(tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    copy_checkout(tmp_path / "code")
    monkeypatch.setattr(studies, "ROOT", tmp_path / "code")
    weights = tmp_path / "code" / "workflow_scripts" / "ctseg" / "lungs" / "lung_network.onnx"
    target = "results/tiny/lungs/phantom-001.json"
    for method, reached in (("network", {"segment_lungs"}), ("threshold", set())):
        study = merged(TINY, {"lungs": {"method": method}})
        run = snakemake(tmp_path, study, "--", target)
        assert run.returncode == 0, run.stdout
        os.utime(weights)
        assert planned(tmp_path, study, "--", target) == set()
        weights.write_bytes(weights.read_bytes() + b"\0")
        assert planned(tmp_path, study, "--", target) == reached


def test_code_that_moves_to_another_module_changes_nothing(folder):
    library = folder / "code" / "workflow_scripts" / "ctseg"
    old, new = library / "geometry" / "hounsfield.py", library / "geometry" / "moved.py"
    importers = [path for path in library.parent.rglob("*.py") if "geometry.hounsfield" in path.read_text()]
    assert importers
    new.write_text(old.read_text(encoding="utf-8"), encoding="utf-8")
    try:
        with ExitStack() as stack:
            for path in importers:
                renamed = changed(path, lambda text: text.replace("geometry.hounsfield", "geometry.moved"))
                stack.enter_context(renamed)
            assert planned(folder, STUDY) == set()
    finally:
        new.unlink()


def test_the_order_of_keys_and_the_way_to_write_a_number_change_nothing(folder):
    def turned(config):
        items = reversed(list(config.items()))
        return {key: turned(value) if isinstance(value, dict) else value for key, value in items}

    assert planned(folder, turned(STUDY)) == set()
    assert planned(folder, merged(STUDY, {"train": {"learning_rate": "2.0e-3"}, "plan": {"margin_mm": 12.0}})) == set()


def test_another_place_of_the_code_or_the_study_changes_nothing(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "code", tmp_path / "elsewhere")
    monkeypatch.setattr(studies, "ROOT", tmp_path / "elsewhere")
    assert planned(folder, STUDY) == set()
    moved = folder.rename(tmp_path / "moved")
    try:
        assert planned(moved, STUDY) == set()
    finally:
        moved.rename(folder)


def test_a_new_case_runs_its_own_jobs_and_trains_only_where_its_split_says_so(folder):
    patients = [phantom_case(index) for index in range(12)]
    splits = assign_splits(
        [Case(name, "image", label="label") for name in patients], DEFAULTS["split"] | STUDY["split"]
    )
    trains = {}
    for new in patients[3:]:
        others = [name for name in patients[3:] if name != new]
        jobs = planned_jobs(folder, merged(STUDY, {"cases": {"phantom": {"patients": 12}, "exclude": others}}))
        assert jobs["make_phantom"] == jobs["convert_image"] == jobs["segment_lungs"] == 1
        trains.setdefault(splits[new].split, set()).add("train" in jobs)
    assert trains == {"train": {True}, "val": {True}, "test": {False}}


@pytest.mark.parametrize(("case", "split"), [("phantom-000", "train"), ("phantom-001", "val"), ("phantom-002", "test")])
def test_a_label_that_changes_trains_again_only_where_it_is_trained_on(folder, below, case, split):
    assert f"{case}\t{split}\t" in (folder / "results/tiny/cohort.tsv").read_text()
    label = folder / "results" / "tiny" / "phantom" / case / phantom_label_name(int(case[-3:]))
    times, data = label.stat(), label.read_bytes()
    label.write_bytes(data + b"changed")
    try:
        jobs = planned_jobs(folder, STUDY)
        assert jobs["convert_label"] == 1
        assert "convert_image" not in jobs
        assert set(jobs) == below(
            {"convert_label"}
            if split != "test"
            else {"measure", "measure_probabilities", "plot_case", "tabulate_cohort", "tabulate_refusals"},
            STUDY,
        ) | {"convert_label"}
    finally:
        label.write_bytes(data)
        os.utime(label, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_files_that_all_have_new_but_equal_times_change_nothing(folder):
    paths = [
        path for path in folder.rglob("*") if ".snakemake" not in path.parts or path.name == ".snakemake_timestamp"
    ]
    times = {path: path.stat() for path in paths}
    try:
        for path in paths:
            os.utime(path, (2e9, 2e9))
        assert planned(folder, STUDY) == set()
    finally:  # otherwise files changed by later tests would be older than all others
        for path, before in times.items():
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
