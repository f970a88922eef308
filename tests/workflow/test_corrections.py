"""Corrected masks are the labels of the next run, and only jobs that depend on them run again."""

import json

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from ctseg.phantom.cases import phantom_label_name
from ctseg.scans.nifti import read_nifti, write_nifti
from studies import TINY, merged, planned, snakemake

pytestmark = pytest.mark.timeout(400)
STUDY = merged(TINY, {"study": "s", "cases": {"corrections": "fixed"}})
TARGETS = ["results/s/labels.tsv", "results/s/labels.txt"]


@pytest.fixture
def folder(tmp_path):
    """Folder of a study with converted and tabulated labels, without corrections."""
    run = snakemake(tmp_path, merged(STUDY, {"cases": {"corrections": None}}), "--", *TARGETS)
    assert run.returncode == 0, run.stdout
    (tmp_path / "fixed").mkdir()
    return tmp_path


def correct(folder):
    """Write a corrected label of phantom-001 as .nrrd, and corrections.tsv; return its voxels [z, y, x]."""
    converted = folder / "results/s/labels/phantom-001.nii.gz"
    more_zyx = read_nifti(converted).voxels_zyx.copy()
    more_zyx[:2] = 1
    corrected = sitk.GetImageFromArray(more_zyx)
    corrected.CopyInformation(sitk.ReadImage(str(converted)))
    sitk.WriteImage(corrected, str(folder / "fixed/phantom-001.nrrd"))
    (folder / "fixed/corrections.tsv").write_text("case\tby\tcomment\nphantom-001\treader-2\tmissed at the base\n")
    return more_zyx


def test_a_corrected_mask_is_the_label_from_then_on(folder):
    results = folder / "results/s"
    label = read_nifti(results / "labels/phantom-001.nii.gz")
    more = correct(folder)
    write_nifti(read_nifti(results / "labels/phantom-002.nii.gz"), folder / "fixed/phantom-002.nii.gz")

    jobs = planned(folder, STUDY, "--", *TARGETS)
    assert jobs == {"convert_label", "tabulate_cohort"}
    run = snakemake(folder, STUDY, "--", *TARGETS)
    assert run.returncode == 0, run.stdout
    np.testing.assert_array_equal(read_nifti(results / "labels/phantom-001.nii.gz").voxels_zyx, more)
    table = pd.read_csv(results / "labels.tsv", sep="\t").set_index("case")
    row = table.loc["phantom-001"]
    added_cm3 = (more > label.voxels_zyx).sum() * label.grid.voxel_volume_mm3 / 1000
    assert row["added_cm3"] == pytest.approx(added_cm3, abs=1e-3)
    assert (row["removed_cm3"], row["corrected_by"], row["comment"]) == (0, "reader-2", "missed at the base")
    assert 0 < row["dice_with_before"] < 1
    assert table.loc["phantom-002", "dice_with_before"] == 1
    assert np.isnan(table.loc["phantom-000", "before_cm3"])
    assert (
        "2 of 3 labels come from cases.corrections: 0 compared with the edited segmentation, 2 with the previous "
        "label; 1 change nothing" in (results / "labels.txt").read_text()
    )
    assert planned(folder, STUDY, "--", *TARGETS) == set()
    table = folder / "fixed/corrections.tsv"
    table.write_text(table.read_text().replace("missed", "overlooked"))
    assert planned(folder, STUDY, "--", *TARGETS) == {"tabulate_cohort"}


def test_a_correction_replaces_a_label_that_cannot_be_read(folder):
    results = folder / "results/s"
    correct(folder)
    broken = results / "phantom/phantom-001" / phantom_label_name(1)
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    run = snakemake(folder, STUDY, "--forcerun", "convert_label", "--", "results/s/labels/phantom-001.nii.gz")
    assert run.returncode == 0, run.stdout
    assert "the mask of before cannot be read: its correction is used" in run.stdout
    assert broken.name not in (results / "logs/convert_label/phantom-001.log").read_text()
    facts = json.loads((results / "labels/phantom-001.json").read_text())["correction"]
    assert facts == {"compared_with": "", "labels": {}}


def test_a_correction_is_compared_with_the_segmentation_that_was_edited(folder):
    results = folder / "results/s"
    more = correct(folder)
    segmentation = read_nifti(results / "labels/phantom-001.nii.gz")
    (folder / "fixed/before").mkdir()
    write_nifti(segmentation.with_voxels(np.zeros_like(more)), folder / "fixed/before/phantom-001.nii.gz")
    run = snakemake(folder, STUDY, "--", *TARGETS)
    assert run.returncode == 0, run.stdout
    row = pd.read_csv(results / "labels.tsv", sep="\t").set_index("case").loc["phantom-001"]
    assert (row["compared_with"], row["before_cm3"], row["dice_with_before"]) == ("segmentation", 0, 0)
    assert row["added_cm3"] == pytest.approx(row["volume_cm3"], abs=1e-3)
    assert "1 compared with the edited segmentation" in (results / "labels.txt").read_text()


def test_a_correction_of_no_case_stops_the_study(folder):
    (folder / "fixed/phantom-009.nii.gz").touch()
    run = snakemake(folder, STUDY, "--", *TARGETS)
    assert run.returncode != 0
    assert "fixed/phantom-009.nii.gz: no case has this name" in run.stdout
    assert "Traceback" not in run.stdout
