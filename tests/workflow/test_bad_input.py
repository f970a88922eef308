"""Unusable input stops only its own case, with one sentence, through the real snakemake."""

import numpy as np
import pytest

from ctseg.geometry.volume import Grid, Volume
from ctseg.scans.nifti import write_nifti
from dicom_files import body, write_series
from studies import snakemake

pytestmark = pytest.mark.timeout(200)

SHAPE = (12, 20, 16)
GRID = Grid(SHAPE, (2.0, 2.0, 3.0), (-20.0, 5.0, 100.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
BAD = {
    "nodicom": "no DICOM",
    "cutslice": "cut",
    "cutnifti": "cut",
    "otherlabel": "grid",
}


def study(**cases):
    return {
        "study": "bad",
        "cases": {"source": "table", "table": "cases.tsv", **cases},
        "target": {"labels": {"tumour": 1}, "region": "body"},
    }


def scan(seed=0):
    return Volume(body(SHAPE, seed), GRID)


def label(grid=GRID):
    voxels = np.zeros(grid.shape_zyx, np.uint8)
    voxels[4:8, 4:8, 4:8] = 1
    return Volume(voxels, grid)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with two valid cases, broken cases of different kinds (`BAD`), and a case table."""
    folder = tmp_path_factory.mktemp("bad")
    rows = ["case\timage\tlabel\tpatient"]
    for name in ("good1", "good2", *BAD):
        write_nifti(scan(), folder / f"{name}.nii.gz")
        write_nifti(label(), folder / f"{name}_label.nii.gz")
        image = name if name in ("good2", "nodicom", "cutslice") else f"{name}.nii.gz"
        rows.append(f"{name}\t{image}\t{name}_label.nii.gz\t{name}")
    write_series(folder / "good2", scan().voxels_zyx, GRID)
    (folder / "nodicom").mkdir()
    (folder / "nodicom" / "readme.txt").write_text("no scan here")
    write_series(folder / "cutslice", scan().voxels_zyx, GRID)
    first = sorted((folder / "cutslice").iterdir())[0]
    first.write_bytes(first.read_bytes()[:-300])
    data = (folder / "cutnifti.nii.gz").read_bytes()
    (folder / "cutnifti.nii.gz").write_bytes(data[: len(data) // 2])
    other = Grid((12, 20, 15), GRID.spacing_xyz_mm, GRID.origin_xyz_mm, GRID.direction)
    write_nifti(label(other), folder / "otherlabel_label.nii.gz")
    (folder / "cases.tsv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def converted(folder):
    """Finished run that converts all cases."""
    targets = [f"results/bad/labels/{name}.nii.gz" for name in ("good1", "good2", *BAD)]
    return snakemake(folder, study(), "--keep-going", *targets)


@pytest.mark.parametrize(("name", "reason"), BAD.items())
def test_a_broken_case_is_told_in_one_sentence(converted, name, reason):
    (line,) = [line for line in converted.stdout.splitlines() if line.startswith("ctseg:") and name in line]
    assert reason in line
    assert converted.returncode != 0


def test_no_traceback_of_ours_is_shown(converted):
    assert "Traceback" not in converted.stdout
    assert "Secret" not in converted.stdout


def test_the_good_cases_are_whole_and_the_bad_ones_leave_nothing(folder, converted):
    labels = sorted(path.name for path in (folder / "results" / "bad" / "labels").iterdir())
    assert labels == ["good1.json", "good1.nii.gz", "good2.json", "good2.nii.gz"]
    assert not list((folder / "results").rglob(".partial-*"))


def refused(folder, config):
    run = snakemake(folder, config, "--dry-run")
    assert run.returncode != 0
    assert "Traceback" not in run.stdout
    return run.stdout


def test_all_problems_of_a_config_are_told_at_once(folder):
    config = study() | {"train": {"lerning_rate": 0.1, "steps": -3}, "postproces": {}}
    output = refused(folder, config)
    for part in ("train.lerning_rate", "did you mean learning_rate", "train.steps", "postproces"):
        assert part in output


def test_a_missing_file_and_a_duplicate_case_are_told_together(folder):
    (folder / "wrong.tsv").write_text("case\timage\na\tgood1.nii.gz\na\tnone.nii.gz\n")
    output = refused(folder, study(table="wrong.tsv"))
    assert "a" in output
    assert "none.nii.gz" in output


def test_a_study_without_any_label_is_told_so(folder):
    (folder / "unlabelled.tsv").write_text("case\timage\na\tgood1.nii.gz\nb\tgood2\n")
    assert "no case has a label" in refused(folder, study(table="unlabelled.tsv"))
