"""Prepared cases as read by training, and the identity of a run (data, settings, code)."""

from dataclasses import replace

import numpy as np

from ctseg.geometry.volume import Grid, Volume
from ctseg.preprocessing.find_foreground import find_foreground
from ctseg.preprocessing.foreground import write_foreground
from ctseg.scans.nifti import write_nifti
from ctseg.training.prepared_cases import read_cases, run_identity, training_hash
from training_data import SETTINGS, make_case


def test_identity_follows_data_settings_and_code():
    cases = [make_case(0), make_case(1)]
    identity = run_identity(training_hash(cases), SETTINGS, "code")
    assert identity == run_identity(training_hash([make_case(0), make_case(1)]), SETTINGS, "code")
    assert identity != run_identity(training_hash(cases[:1]), SETTINGS, "code")
    assert identity != run_identity(training_hash(cases), replace(SETTINGS, steps=13), "code")
    assert identity != run_identity(training_hash(cases), SETTINGS, "other")


def test_training_reads_what_preparing_wrote(tmp_path):
    label = np.zeros((5, 6, 7), np.uint8)
    label[1, 1:3, 1:4], label[4, 5, 6], label[0, 0, 6] = 1, 1, 2
    grid = Grid(label.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    for name in ("image", "label"):
        write_nifti(Volume(label, grid), tmp_path / "a" / f"{name}.nii")
    written = find_foreground(label, 3, 100, seed=1)
    write_foreground(written, tmp_path / "a" / "foreground.npz")
    (case,) = read_cases(tmp_path, ["a"])
    assert [one.voxels.tolist() for one in case.foreground] == [[6, 1], [1], []]
    for one, other in zip(case.foreground, written, strict=True):
        for name, array in vars(other).items():
            np.testing.assert_array_equal(getattr(one, name), array)
