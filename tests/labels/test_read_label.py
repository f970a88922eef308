"""Labels of any format become a label map on the grid of their image, or are rejected."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from ctseg.errors import InputError
from ctseg.files import read_json
from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.scans.nifti import read_nifti, read_nifti_grid, write_nifti
from ctseg.scans.read_scan import read_scan
from dicom_files import body, ct_slice, write, write_rtstruct
from grids import turned
from jobs import LOG, handed_over
from places import ROOT
from real_data import real_data

OBLIQUE = ((0.0, -0.6, -0.8), (-1.0, 0.0, 0.0), (0.0, 0.8, -0.6))
GRID = Grid((4, 5, 6), (0.7, 0.9, 2.5), (-9.0, 4.0, 30.0), OBLIQUE)
VALUES = np.random.default_rng(0).integers(0, 5, GRID.shape_zyx)
LABELS = {"tumour": 4, "node": 2}
EXPECTED = np.where(VALUES == 4, 1, np.where(VALUES == 2, 2, 0))


def label_of(path: Path, labels: dict[str, int] = LABELS, **options) -> np.ndarray:
    return read_label(path, LabelSettings(labels, **options), GRID, "image.nii.gz").voxels_zyx


def test_a_turned_file_is_read(tmp_path):
    write_nifti(turned(Volume(VALUES.astype(np.uint8), GRID), (2, 0, 1), (True, False, True)), tmp_path / "a.nii")
    np.testing.assert_array_equal(label_of(tmp_path / "a.nii"), EXPECTED)


@pytest.mark.parametrize(
    "grid",
    [
        Grid(GRID.shape_zyx, GRID.spacing_xyz_mm, (-9.0, 4.2, 30.0), OBLIQUE),
        Grid(GRID.shape_zyx, (0.7, 0.9, 2.6), GRID.origin_xyz_mm, OBLIQUE),
        Grid(GRID.shape_zyx, GRID.spacing_xyz_mm, GRID.origin_xyz_mm, ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0))),
        Grid((5, 5, 6), GRID.spacing_xyz_mm, GRID.origin_xyz_mm, OBLIQUE),
    ],
)
def test_a_label_elsewhere_is_refused_with_both_names(tmp_path, grid):
    write_nifti(Volume(np.ones(grid.shape_zyx, np.uint8), grid), tmp_path / "a.nii")
    with pytest.raises(InputError, match=r"a\.nii and image\.nii\.gz do not lie on one grid"):
        label_of(tmp_path / "a.nii")


def test_rounded_headers_are_fine(tmp_path):
    grid = Grid(GRID.shape_zyx, (0.7003, 0.9, 2.501), (-9.004, 4.0, 30.0), OBLIQUE)
    write_nifti(Volume(VALUES.astype(np.uint8), grid), tmp_path / "a.nii")
    assert read_label(tmp_path / "a.nii", LabelSettings(LABELS), GRID, "image").grid == GRID


def outline(index: int, low: float, high: float) -> np.ndarray:
    corners = np.array([[low, low], [low, high], [high, high], [high, low]])
    return GRID.points_xyz_mm(np.column_stack([np.full(4, index), corners]))


def test_rtstruct_and_its_folder(tmp_path):
    rois = {"GTV 1": [outline(1, 0.5, 3.5)], "node": [outline(1, 2.5, 4.5), outline(2, -0.5, 1.5)]}
    path = write_rtstruct(tmp_path / "plan" / "RS.dcm", rois)
    expected = np.zeros(GRID.shape_zyx, np.uint8)
    expected[1, 1:4, 1:4] = 1
    expected[1, 3:5, 3:5] = 2
    expected[2, :2, :2] = 2
    for source in (path, path.parent):
        np.testing.assert_array_equal(label_of(source, roi_names={"tumour": ("gtv 1",)}), expected)
    with pytest.raises(InputError, match='no ROI called "tumour"'):
        label_of(path)
    np.testing.assert_array_equal(label_of(path, missing_ok=True) == 2, expected == 2)
    write_rtstruct(tmp_path / "plan" / "RS2.dcm", rois)
    with pytest.raises(InputError, match="plan holds 2 RTSTRUCT files and 0 SEG files"):
        label_of(path.parent)


def test_rois_that_fit_a_pattern_are_united(tmp_path):
    rois = {"GTV 1": [outline(1, 0.5, 3.5)], "GTV 2": [outline(1, 2.5, 4.5)], "node": [outline(2, -0.5, 1.5)]}
    path = write_rtstruct(tmp_path / "RS.dcm", rois)
    classes = label_of(path, roi_names={"tumour": ("/gtv .*/",)})
    assert (classes[1] == 1).sum() == 9 + 4 - 1  # they overlap in a voxel, which an odd-even rule would empty
    np.testing.assert_array_equal(classes, label_of(path, roi_names={"tumour": ("GTV 1", "gtv 2")}))
    with pytest.raises(InputError, match='no ROI called "/PTV/"'):
        label_of(path, roi_names={"tumour": ("/PTV/",)})


def test_nodules_of_an_archive_are_one_label(tmp_path):
    (tmp_path / "annotations.csv").write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\n1.2,0,0,0,5\n")
    with pytest.raises(InputError, match="name one label"):
        label_of(tmp_path / "annotations.csv")
    with pytest.raises(InputError, match="give series_uid"):
        label_of(tmp_path / "annotations.csv", {"nodule": 1})
    centre = GRID.points_xyz_mm(np.array([[2, 2, 3]]))[0]
    text = ",".join(str(value) for value in centre)
    (tmp_path / "annotations.csv").write_text(f"seriesuid,coordX,coordY,coordZ,diameter_mm\n1.2,{text},1\n")
    settings = LabelSettings({"nodule": 1})
    found = read_label(tmp_path / "annotations.csv", settings, GRID, "image", "1.2").voxels_zyx
    assert np.argwhere(found).tolist() == [[2, 2, 3]]
    assert not read_label(tmp_path / "annotations.csv", settings, GRID, "image", "1.3").voxels_zyx.any()


def test_other_files_are_no_labels(tmp_path):
    image = write(ct_slice(body((1, 5, 6))[0], GRID, 0), tmp_path / "image.dcm")
    (tmp_path / "label.txt").write_text("1 2 3")
    for path, message in [(image, r"\(CT\)"), (tmp_path / "label.txt", r"\(no DICOM\)")]:
        with pytest.raises(InputError, match=rf"{path.name} is not a label that ctseg reads {message}"):
            label_of(path)
    for name in ("missing", "missing.nii"):
        with pytest.raises(InputError, match=f"{name} does not exist"):
            label_of(tmp_path / name)


def test_the_script_writes_the_label(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_nifti(Volume(VALUES.astype(np.uint8), GRID), tmp_path / "label.nii")
    write_nifti(Volume(body(GRID.shape_zyx), GRID), tmp_path / "image.nii.gz")
    settings = {
        "labels": LABELS,
        "roi_names": {},
        "missing_label": "error",
        "min_readers": 2,
        "small_nodules": "ignore",
    }
    settings |= {"overlap": "later", "label_off_mm": "auto", "beyond_scan": "cut", "foreign_label": "refuse"}
    inputs = {name: str(tmp_path / file) for name, file in (("label", "label.nii"), ("image", "image.nii.gz"))}
    outputs = {"label": "results/study/labels/a.nii.gz", "facts": "results/study/labels/a.json"}
    snakemake = handed_over("convert_label", settings | {"series_uid": None}, inputs, outputs)
    script = str(ROOT / "workflow_scripts" / "convert_label.py")
    runpy.run_path(script, {"snakemake": snakemake})
    volume = read_nifti(snakemake.output.label)
    assert volume.voxels_zyx.dtype == np.uint8
    np.testing.assert_array_equal(volume.voxels_zyx, EXPECTED)
    assert volume.grid.matches(read_nifti_grid(snakemake.input.image), 1e-6)
    assert f"tumour: {(EXPECTED == 1).sum()} voxels" in LOG.read_text()
    facts = read_json(snakemake.output.facts)
    assert facts["labels"]["node"]["voxels"] == (EXPECTED == 2).sum()
    assert facts["unused_values"] == {str(value): (value == VALUES).sum() for value in (1, 3)}
    snakemake.params.settings = snakemake.params.settings | {"labels": {"spleen": 9}}
    with pytest.raises(SystemExit):
        runpy.run_path(script, {"snakemake": snakemake})
    snakemake.params.settings = snakemake.params.settings | {"missing_label": "allow"}
    runpy.run_path(script, {"snakemake": snakemake})
    assert not read_nifti(snakemake.output.label).voxels_zyx.any()


@pytest.mark.realdata
def test_a_label_with_a_flipped_axis_fits_its_dicom_series():
    scan = read_scan(real_data("abdomen/ct-dicom-jpeg2000")).volume
    path = real_data("abdomen/ct-dicom-organs.nii.gz")
    stored = read_nifti(path)
    value = int(np.bincount(stored.voxels_zyx[stored.voxels_zyx > 0]).argmax())
    label = read_label(path, LabelSettings({"organ": value}), scan.grid, "scan")
    np.testing.assert_array_equal(label.voxels_zyx, stored.voxels_zyx[:, ::-1] == value)
    assert scan.voxels_zyx[label.voxels_zyx == 1].std() < 100 < scan.voxels_zyx[stored.voxels_zyx == value].std()
