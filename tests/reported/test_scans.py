"""Scans from user reports on similar tools: each is read correctly, or rejected with the reason."""

import json
import runpy

import numpy as np
import pytest

from command import ctseg
from ctseg.errors import InputError
from ctseg.files import read_json
from ctseg.inference.engines import load_engine
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.scans.nifti import read_nifti
from ctseg.scans.read_scan import read_scan
from jobs import LOG, handed_over
from places import ROOT
from real_data import FOLDER, real_data, report
from service import serving
from serving.page.inputs import Upload
from serving.page.work import Asked, segment
from serving.settings import Settings

SIZE_ZYX, SPACING_MM = (40, 48, 48), [1.0, 1.0, 2.0]
MIDDLE = slice(None), slice(18, 30), slice(18, 26)  # inside the body, next to the lesion


def made(folder, name, *more):
    """Write the input of a reported case; return the folder."""
    report(name).make(folder, *more)
    return folder


@pytest.fixture(scope="module")
def not_hu(tmp_path_factory):
    return made(tmp_path_factory.mktemp("not_hu"), "case06_not_hu")


@pytest.fixture(scope="module")
def turned(tmp_path_factory):
    return made(tmp_path_factory.mktemp("turned"), "case02_orientation_noise")


@pytest.mark.parametrize("name", ["exact", "every_other", "last_ten", "noise"])
def test_slices_that_are_turned_by_rounding_stay_one_scan(turned, name):
    scan = read_scan(turned / name)
    assert scan.facts["size_xyz"] == [48, 48, 40]
    assert scan.facts["spacing_xyz_mm"] == pytest.approx(SPACING_MM, abs=1e-6)
    np.testing.assert_array_equal(scan.volume.voxels_zyx, read_scan(turned / "exact").volume.voxels_zyx)
    assert scan.facts["warnings"] == []


def test_slices_that_are_really_turned_are_refused(turned):
    with pytest.raises(InputError, match=r"different orientations: 20 of 40 are turned by 2\.9°"):
        read_scan(turned / "really_turned")


@pytest.mark.realdata
def test_a_real_scan_whose_slices_are_turned_by_rounding_is_as_it_was(tmp_path):
    source = real_data("sarcoma-dicom/STS_003/CT/image")
    scan, as_it_was = read_scan(made(tmp_path, "case02_orientation_noise", FOLDER) / "real"), read_scan(source)
    assert scan.facts["size_xyz"] == [154, 158, 51]
    assert scan.facts["spacing_xyz_mm"] == pytest.approx([0.976562, 0.976562, 3.27], abs=1e-5)
    np.testing.assert_array_equal(scan.volume.voxels_zyx, as_it_was.volume.voxels_zyx)
    assert scan.volume.grid.matches(as_it_was.volume.grid, 1e-6)
    assert scan.facts["warnings"] == []


NOT_HU = {
    "good": [],
    "stored_values.nii.gz": ["about 1024 too high"],
    "no_rescale": ["no slice has a RescaleIntercept", "about 1024 too high"],
    "wrapped_padding": ["24.4% of the voxels lie above 3071 HU"],
    "windowed.nii.gz": ["the values end at -160 and 240 HU"],
}


@pytest.mark.parametrize(("name", "words"), NOT_HU.items())
def test_values_that_are_no_hu_are_told(not_hu, name, words):
    scan = read_scan(not_hu / name)
    assert scan.volume.grid.shape_zyx == SIZE_ZYX
    assert len(scan.facts["warnings"]) == len(words)
    for said, wanted in zip(scan.facts["warnings"], words, strict=True):
        assert wanted in said
    if name == "good":
        assert np.median(scan.volume.voxels_zyx[MIDDLE]) == pytest.approx(30, abs=2)


def test_one_slice_without_rescaling_is_refused(not_hu):
    with pytest.raises(InputError, match=r"1 of the 40 slices .* no RescaleIntercept.* one_020\.dcm"):
        read_scan(not_hu / "one_slice")


@pytest.mark.parametrize("name", ["stored_values.nii.gz", "no_rescale", "one_slice", "good"])
def test_the_advice_to_rescale_helps(not_hu, name):
    scan, good = read_scan(not_hu / name, rescale=(1, -1024)), read_scan(not_hu / "good")
    assert scan.facts["warnings"] == []
    same = scan.volume.voxels_zyx == good.volume.voxels_zyx
    padded = name in ("stored_values.nii.gz", "no_rescale")
    assert same[good.volume.voxels_zyx > -900].all()
    assert same.all() or padded
    assert scan.facts.get("rescaled") == (None if name == "good" else [1, -1024])


@pytest.mark.parametrize("unit", ["mm", "micron", "meter"])
def test_nifti_is_read_in_its_unit(tmp_path, unit):
    path = made(tmp_path, "case07_nifti_units") / f"{unit}.nii.gz"
    scan = read_scan(path)
    assert scan.volume.grid.shape_zyx == SIZE_ZYX
    assert scan.facts["spacing_xyz_mm"] == pytest.approx(SPACING_MM, abs=1e-5)
    assert scan.volume.grid.matches(read_scan(tmp_path / "mm.nii.gz").volume.grid, 1e-3)
    assert scan.facts["warnings"] == []
    grid = read_scan(tmp_path / "mm.nii.gz").volume.grid
    assert read_label(path, LabelSettings({"lesion": 400}), grid, "image").voxels_zyx.sum() == 485


@pytest.mark.parametrize("name", ["nifti1.nii.gz", "nifti2.nii.gz", "nifti2.nii", "plain.nii.gz", "packed.nii"])
def test_nifti_is_read_by_its_content(tmp_path, name):
    folder = made(tmp_path, "case16_nifti2")
    scan = read_scan(folder / name)
    assert scan.facts["spacing_xyz_mm"] == pytest.approx(SPACING_MM, abs=1e-6)
    np.testing.assert_array_equal(scan.volume.voxels_zyx, read_scan(folder / "nifti1.nii.gz").volume.voxels_zyx)
    assert scan.facts["warnings"] == []


def test_a_warning_of_the_conversion_reaches_terminal_log_and_facts(not_hu, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    outputs = {"image": "results/study/images/a.nii.gz", "facts": "results/study/images/a.json"}
    settings = {"series_uid": None, "kernels": [], "irregular": "refuse", "rescale": None}
    snakemake = handed_over("convert_image", settings, {"scan": str(not_hu / "no_rescale")}, outputs)
    runpy.run_path(str(ROOT / "workflow_scripts" / "convert_image.py"), {"snakemake": snakemake})
    shown = capsys.readouterr().err
    for told in (shown, LOG.read_text(), json.dumps(read_json(outputs["facts"])["warnings"])):
        assert "about 1024 too high; give convert.rescale: [1, -1024]" in told
    assert "ctseg: convert_image a: no slice has a RescaleIntercept" in shown
    snakemake.params.settings["rescale"] = [1, -1024]
    runpy.run_path(str(ROOT / "workflow_scripts" / "convert_image.py"), {"snakemake": snakemake})
    assert capsys.readouterr().err == ""
    assert np.median(read_nifti(outputs["image"]).voxels_zyx[MIDDLE]) == pytest.approx(30, abs=2)


def test_predict_tells_it_and_takes_the_rescaling(model_folder, not_hu, tmp_path):
    command = ["predict", model_folder / "model.onnx", not_hu / "stored_values.nii.gz", "-o", tmp_path / "out.nii"]
    run = ctseg(*command)
    assert run.returncode == 0, run.stderr
    assert "about 1024 too high" in run.stderr
    run = ctseg(*command, "--rescale", "1", "-1024")
    assert run.returncode == 0, run.stderr
    assert "too high" not in run.stderr


def test_the_page_tells_it(model_folder, not_hu):
    model = model_folder / "model.onnx"
    scan = Upload("scan.nii.gz", (not_hu / "stored_values.nii.gz").read_bytes())
    shown = segment(Asked(scan.name, (scan,)), load_engine(model, 1), model, Settings(), lambda *_: None)
    assert any("about 1024 too high" in caution.text for caution in shown.cautions)


def test_the_service_tells_it_and_takes_the_rescaling(model_folder, not_hu, tmp_path):
    scan = (not_hu / "stored_values.nii.gz").read_bytes()
    nifti2 = (made(tmp_path / "nifti2", "case16_nifti2") / "nifti2.nii").read_bytes()
    with serving(model_folder / "model.onnx", tmp_path / "service") as served:
        assert any("about 1024 too high" in text for text in served.segment(scan)[1]["warnings"])
        job = served.ended(served.post(scan, params={"rescale": "1,-1024"}).json()["id"])
        assert not any("too high" in text for text in served.client.get(job["links"]["json"]).json()["warnings"])
        assert served.post(scan, params={"rescale": "much"}).status_code == 422
        (tmp_path / "mask.nii.gz").write_bytes(served.segment(nifti2)[0])
    assert read_nifti(tmp_path / "mask.nii.gz").voxels_zyx.shape == SIZE_ZYX
