"""Manifest of a study, and differences between the files and the manifest."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from ctseg.errors import InputError
from ctseg.provenance.job_records import describe
from ctseg.provenance.manifest import (
    SHOWN,
    differences,
    model_difference,
    read_manifest,
    require_none,
    revision,
    source_key,
    versions,
)


def test_a_manifest_that_is_not_there_or_is_none_is_told(tmp_path):
    path = tmp_path / "manifest.json"
    with pytest.raises(InputError, match="run the study to its end first"):
        read_manifest(path)
    for text in ("{", "[]", '{"format": 99}'):
        path.write_text(text)
        with pytest.raises(InputError, match="make it again"):
            read_manifest(path)


def test_a_model_that_was_made_from_something_else_is_told(tmp_path):
    card, provenance = tmp_path / "card.json", tmp_path / "provenance.json"
    provenance.write_text("{}")
    assert model_difference(card, provenance) == []
    card.write_text(json.dumps({"provenance": hashlib.sha256(b"{}").hexdigest()}))
    assert model_difference(card, provenance) == []
    provenance.write_text("{ }")
    assert len(model_difference(card, provenance)) == 1


def study_with(tmp_path: Path) -> tuple[Path, dict, dict[str, str]]:
    """Folder of a study with two results of a job that read a scan, its manifest, and the path of the scan."""
    study = tmp_path / "study"
    study.mkdir()
    for name in ("scan.nii", "study/a.txt", "study/b.txt"):
        (tmp_path / name).write_text(name)
    job = {
        "rule": "convert",
        "wildcards": {"case": "x"},
        "outputs": {name: describe(study / name) for name in ("a.txt", "b.txt")},
        "sources": {"scan": [describe(tmp_path / "scan.nii")]},
    }
    return study, {"jobs": [job]}, {"x/scan": str(tmp_path / "scan.nii")}


def test_nothing_differs_in_a_study_that_was_not_touched(tmp_path):
    study, manifest, sources = study_with(tmp_path)
    assert differences(study, manifest, sources) == ([], 3)
    assert differences(study, {"jobs": []}, {}) == ([], 0)


def test_what_changed_or_went_is_told(tmp_path):
    study, manifest, sources = study_with(tmp_path)
    (study / "a.txt").write_text("other")
    (study / "b.txt").unlink()
    (tmp_path / "scan.nii").write_text("another scan")
    told, compared = differences(study, manifest, sources, threads=2)
    assert (compared, sorted(told)) == (
        3,
        [f"{study}/a.txt has changed", f"{study}/b.txt is missing", "the scan of convert x/scan has changed"],
    )
    assert (
        len(differences(study, manifest, sources, passing={study / "b.txt"})[0]) == 2
    )  # a temporary file that may have been deleted


def test_many_problems_are_cut(tmp_path):
    require_none([], tmp_path)
    with pytest.raises(InputError, match="differs from its manifest") as caught:
        require_none([f"{number} is missing" for number in range(SHOWN + 3)], tmp_path)
    assert len(str(caught.value).splitlines()) == SHOWN + 2
    assert str(caught.value).endswith("and 3 more")


def test_each_package_has_all_its_versions():
    jobs = [{"software": {"numpy": "2.0", "torch": "2.5"}}, {"software": {"numpy": "1.9"}}, {"software": {}}]
    assert versions(jobs) == {"numpy": ["1.9", "2.0"], "torch": ["2.5"]}


def test_a_source_is_named_by_its_case_and_the_rules_word():
    assert source_key({"wildcards": {"case": "a", "fold": 1}}, "scan") == "a/1/scan"


def test_the_revision_of_a_checkout_says_whether_it_was_changed(tmp_path):
    assert revision(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    (tmp_path / "a").write_text("first")
    for command in (["init", "-q"], ["add", "a"], ["commit", "-qm", "First"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    clean = revision(tmp_path)
    assert len(clean) == 40
    (tmp_path / "a").write_text("second")
    assert revision(tmp_path) == f"{clean}-dirty"
