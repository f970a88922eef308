"""Study files written by `ctseg init` from a folder; the workflow accepts them without changes."""

import os
import shutil

import numpy as np
import pytest
import yaml

from archive_trees import make_files, make_msd, make_nnunet
from command import ctseg
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.scans.nifti import write_nifti
from dicom_files import body, name_images, write_rtstruct, write_series
from real_data import real_data
from studies import planned_jobs

pytestmark = pytest.mark.timeout(120)
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((6, 7, 8), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), IDENTITY)
CASES = ("p1", "p2", "p3", "p4")
SQUARE = [np.array([[1.0, 1.0, 2.0], [4.0, 1.0, 2.0], [4.0, 4.0, 2.0], [1.0, 4.0, 2.0]])]


def scan():
    return Volume(body(GRID.shape_zyx), GRID)


def label(*values):
    mask = np.zeros(GRID.shape_zyx, np.uint8)
    for place, value in enumerate(values, start=1):
        mask[place] = value
    return Volume(mask, GRID)


def written(folder, *arguments):
    """Run `ctseg init data`; return the config in mine.yaml and standard output."""
    run = ctseg("init", "data", "-o", "mine.yaml", *arguments, folder=folder)
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    return yaml.safe_load((folder / "mine.yaml").read_text(encoding="utf-8")), run.stdout


def files_of(folder, image, mask, values=(1,)):
    for case in CASES:
        write_nifti(scan(), folder / "data" / image.format(case=case))
        write_nifti(label(*values), folder / "data" / mask.format(case=case))


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{case}/image.nii.gz", "{case}/label.nii.gz"),
        ("images/{case}.nii.gz", "labels/{case}.nii.gz"),
        ("{case}.nii.gz", "{case}_seg.nii.gz"),
        ("sub-{case}/ct/sub-{case}_ct.nii.gz", "derivatives/manual/sub-{case}/ct/sub-{case}_dseg.nii.gz"),
    ],
)
def test_files_with_labels_become_a_study_that_runs(tmp_path, image, mask):
    files_of(tmp_path, image, mask)
    study, told = written(tmp_path)
    assert study["target"]["labels"] == {"target": 1}
    assert "4 scans, 4 with a label" in told
    jobs = planned_jobs(tmp_path, study)
    assert (jobs["convert_image"], jobs["convert_label"]) == (4, 4)


def test_a_table_of_that_name_is_in_nobodys_way_where_none_is_written(tmp_path):
    files_of(tmp_path, "{case}/ct.nii.gz", "{case}/mask.nii.gz")
    (tmp_path / "mine.tsv").write_text("my own\n")
    assert written(tmp_path)[0]["cases"]["source"] == "folder"
    assert (tmp_path / "mine.tsv").read_text() == "my own\n"


def test_several_values_become_several_labels(tmp_path):
    files_of(tmp_path, "{case}/ct.nii.gz", "{case}/mask.nii.gz", (2, 5))
    assert written(tmp_path)[0]["target"]["labels"] == {"label_2": 2, "label_5": 5}


def test_a_folder_with_a_file_for_each_label_is_a_label(tmp_path):
    files_of(tmp_path, "{case}/ct.nii.gz", "{case}/masks/liver.nii.gz")
    for case in CASES:
        write_nifti(label(1), tmp_path / "data" / case / "masks" / "left kidney.nii.gz")
    study, _ = written(tmp_path)
    assert study["cases"]["label"] == "data/{case}/masks"
    assert sorted(study["target"]["labels"]) == ["left_kidney", "liver"]
    assert study["target"]["roi_names"] == {"left_kidney": "left kidney"}
    assert planned_jobs(tmp_path, study)["convert_label"] == 4


@pytest.mark.parametrize(("make", "labelled", "scans"), [(make_nnunet, 5, 6), (make_msd, 5, 6)])
def test_a_data_set_in_a_known_layout_is_taken_as_it_is(tmp_path, make, labelled, scans):
    make(tmp_path / "data")
    study, told = written(tmp_path)
    assert study["cases"]["source"] in ("nnunet", "msd")
    assert f"{scans} scans, {labelled} with a label" in told
    jobs = planned_jobs(tmp_path, study)
    assert (jobs["convert_image"], jobs["convert_label"]) == (scans, labelled)


def test_names_in_other_letters_are_kept_apart_and_found(tmp_path):
    organs = {"肝脏": 1, "肿瘤": 2, "囊肿": 3}
    for case in CASES:
        write_nifti(scan(), tmp_path / "肺癌" / case / "ct.nii.gz")
        for name, plane in organs.items():
            write_nifti(label(*[0] * plane, 1), tmp_path / "肺癌" / case / "organs" / f"{name}.nii.gz")
    run = ctseg("init", "肺癌", "-o", "mine.yaml", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    study = yaml.safe_load((tmp_path / "mine.yaml").read_text(encoding="utf-8"))
    assert study["study"].startswith("study_")
    target = study["target"]
    assert set(target["roi_names"].values()) == set(organs)
    assert planned_jobs(tmp_path, study)["convert_label"] == 4
    names = {name: (own,) for name, own in target["roi_names"].items()}
    found = read_label(tmp_path / "肺癌/p1/organs", LabelSettings(target["labels"], names), GRID, "scan")
    for value, name in enumerate(target["labels"], start=1):
        assert set(np.nonzero(found.voxels_zyx == value)[0]) == {organs[target["roi_names"][name]] + 1}


def test_names_that_are_not_utf8_are_refused(tmp_path):
    files_of(tmp_path, "{case}/ct.nii.gz", "{case}/mask.nii.gz")
    bad = os.fsdecode("肝".encode("gbk"))
    (tmp_path / "data" / "p2").rename(tmp_path / "data" / bad)
    for arguments in (["data"], ["data", "-o", f"{bad}.yaml"], ["data", "--model", f"{bad}.onnx"]):
        run = ctseg("init", *arguments, folder=tmp_path)
        assert run.returncode == 1
        assert "is not UTF-8 text" in run.stderr
        assert "Traceback" not in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_few_cases_are_all_trained_on(tmp_path):
    for case in CASES[:2]:
        write_nifti(scan(), tmp_path / "data" / case / "ct.nii.gz")
        write_nifti(label(1), tmp_path / "data" / case / "mask.nii.gz")
    study, _ = written(tmp_path)
    assert study["split"]["test_fraction"] == 0
    assert planned_jobs(tmp_path, study)["convert_label"] == 2


def test_series_without_labels_are_segmented_with_a_model(tmp_path, model_folder):
    for case in CASES[:2]:
        write_series(tmp_path / "data" / case / "CT", body((6, 7, 8)), GRID, SeriesInstanceUID=f"1.2.{len(case)}")
    run = ctseg("init", "data", folder=tmp_path)
    assert run.returncode == 1
    assert "none of 2 scans found has a label" in run.stderr
    assert not (tmp_path / "study.yaml").exists()
    study, _ = written(tmp_path, "--model", model_folder / "model.onnx")
    assert study["cases"]["image"] == "data/{case}/CT"
    assert planned_jobs(tmp_path, study)["infer"] == 2


def archive(folder):
    """Write patients in the folder layout of an archive download, which no pattern matches."""
    for number, case in enumerate(CASES):
        visit = folder / case / f"0{number + 1}-07-2008-NA-CT CHEST-{7 * number + 31}"
        elements = {"PatientID": f"SECRET-{number}", "SeriesInstanceUID": f"1.2.{number}", "FrameOfReferenceUID": "1.9"}
        write_series(visit / f"{number + 2}.000000-CT-{41 + number}", body(GRID.shape_zyx), GRID, **elements)
        path = write_rtstruct(visit / f"{number + 5}.000000-RTst-{number}" / "1-1.dcm", {"GTV-1": SQUARE})
        name_images(path, f"SECRET-{number}", ["1.9"], [f"1.2.{number}"])


def flat(folder):
    """Write the files of `archive` into one flat folder."""
    archive(folder)
    for number, path in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
        path.rename(folder / f"{number:03}.dcm")
    for case in CASES:
        shutil.rmtree(folder / case)


@pytest.mark.parametrize("make", [archive, flat])
def test_dicom_files_in_any_order_become_a_table(tmp_path, make):
    make(tmp_path / "data")
    study, told = written(tmp_path)
    assert study["cases"] == {"source": "table", "table": "mine.tsv"}
    assert study["target"]["labels"] == {"GTV-1": 1}
    assert "4 scans, 4 with a label" in told
    assert "reading the headers of 28 files" in told
    assert "SECRET" not in told + (tmp_path / "mine.tsv").read_text() + (tmp_path / "mine.yaml").read_text()
    jobs = planned_jobs(tmp_path, study)
    assert (jobs["convert_image"], jobs["convert_label"]) == (4, 4)


def test_the_paths_of_a_table_begin_where_it_lies(tmp_path):
    archive(tmp_path / "data")
    (tmp_path / "studies").mkdir()
    run = ctseg("init", "data", "-o", "studies/mine.yaml", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    lines = (tmp_path / "studies/mine.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == ["case", "image", "label"]
    assert lines[1].startswith("p1\t../data/p1/01-07-2008-NA-CT CHEST-31/2.000000-CT-41\t../data/p1/")
    study = yaml.safe_load((tmp_path / "studies/mine.yaml").read_text(encoding="utf-8"))
    assert study["cases"]["table"] == "studies/mine.tsv"
    assert planned_jobs(tmp_path, study)["convert_label"] == 4
    (tmp_path / "studies/mine.yaml").unlink()
    again = ctseg("init", "data", "-o", "studies/mine.yaml", folder=tmp_path)
    assert again.returncode == 1
    assert "studies/mine.tsv exists" in again.stderr


def test_what_cannot_be_done_is_told(tmp_path):
    make_files(tmp_path, "data/notes.txt", "mine.yaml")
    (tmp_path / "data" / "broken").mkdir()
    for arguments, words in (
        (["nothing"], "nothing is not a folder"),
        (["data"], "holds neither scans"),
        (["data", "-o", "mine.yaml"], "mine.yaml exists"),
        (["data", "--model", "none.onnx"], "is not a file"),
        (["data", "-o", "mine.yaml/study.yaml"], "mine.yaml is a file, and"),
    ):
        run = ctseg("init", *arguments, folder=tmp_path)
        assert run.returncode == 1
        assert words in run.stderr
        assert "Traceback" not in run.stderr


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["sarcoma-dicom", "sarcoma-nifti"])
def test_real_folders_become_studies(tmp_path, name):
    (tmp_path / "data").symlink_to(real_data(name))
    study, _ = written(tmp_path)
    assert study["cases"]["image"].startswith("data/{case}/")
    jobs = planned_jobs(tmp_path, study)
    assert jobs["convert_image"] == jobs["convert_label"] > 10
