"""Description of scan, model and series in a result, and the choice among several series."""

import hashlib
import io
import zipfile

import numpy as np
import pydicom
import pytest

from ctseg.inference.engines import load_engine
from ctseg.inference.predict import predict
from ctseg.scans.nifti import write_nifti
from ctseg.scans.read_scan import read_scan
from dicom_files import REFERABLE, write_series
from service import serving

pytestmark = pytest.mark.timeout(180)
OTHER = {"SeriesInstanceUID": "1.2.9"}


@pytest.fixture(scope="module")
def served(model_folder, tmp_path_factory):
    with serving(model_folder / "model.onnx", tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def folder(scan, tmp_path_factory):
    """Folder with two series of a scan; the second one is shifted."""
    root = tmp_path_factory.mktemp("series")
    voxels, grid = scan[0].voxels_zyx, scan[0].grid
    write_series(root / "a", voxels, grid, **REFERABLE)
    write_series(root / "b", np.roll(voxels, 3, axis=1), grid, **REFERABLE, **OTHER)
    return root


def packed(folder, names=("a", "b")):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            for path in sorted((folder / name).iterdir()):
                archive.write(path, f"{name}/{path.name}")
    return stream.getvalue()


def result_of(served, content, **more):
    job = served.ended(served.post(content, **more).json()["id"])
    assert job["state"] == "done", job
    return job["links"], served.client.get(job["links"]["json"]).json()


def mask_of(model_folder, scan_path, uid, path):
    scan = read_scan(scan_path, uid)
    found = predict(scan.volume, load_engine(model_folder / "model.onnx", 1))
    write_nifti(found.segmentation, path)
    return path.read_bytes()


def test_a_client_sees_which_series_was_taken_and_can_choose_another(served, folder, model_folder, tmp_path):
    content = packed(folder)
    links, first = result_of(served, content)
    series = first["source"]["series"]
    assert (series["number"], series["count"]) == (1, 2)
    assert [(stack["number"], stack["use"]) for stack in series["stacks"]] == [
        (1, "chosen"),
        (2, "equal to the chosen one"),
    ]
    masks = {uid: mask_of(model_folder, folder, uid, tmp_path / f"{uid}.nii.gz") for uid in ("1.2.3", "1.2.9")}
    assert len(set(masks.values())) == 2
    assert served.client.get(links["nifti"]).content == masks["1.2.3"]
    for how in ({"params": {"series": 2}}, {"headers": {"Series-UID": "1.2.9"}}):
        links, other = result_of(served, content, **how)
        assert other["source"]["series"]["number"] == 2
        assert served.client.get(links["nifti"]).content == masks["1.2.9"]
    links, again = result_of(served, packed(folder, ("b", "a")), params={"series": 2})
    assert served.client.get(links["nifti"]).content == masks["1.2.9"]
    assert again["source"]["series"] == other["source"]["series"]


def test_dicom_objects_are_of_the_chosen_series(served, folder):
    links, _ = result_of(served, packed(folder), params={"series": 2, "dicom": True})
    seg = pydicom.dcmread(io.BytesIO(served.client.get(links["seg"]).content))
    assert [one.SeriesInstanceUID for one in seg.ReferencedSeriesSequence] == ["1.2.9"]


def test_a_series_that_is_not_there_is_told(served, folder, scan, tmp_path):
    job = served.ended(served.post(packed(folder), params={"series": 3}).json()["id"])
    assert (job["state"], "holds 2 series" in job["error"]) == ("failed", True)
    job = served.ended(served.post(packed(folder), headers={"Series-UID": "1.2.77"}).json()["id"])
    assert job["state"] == "failed" and "not among the 2 CT series" in job["error"] and "1.2.77" not in job["error"]
    both = served.post(packed(folder), params={"series": 1}, headers={"Series-UID": "1.2.3"})
    assert (both.status_code, "not by both" in both.json()["detail"]) == (422, True)
    write_nifti(scan[0], tmp_path / "scan.nii")
    file = served.post((tmp_path / "scan.nii").read_bytes(), params={"series": 1})
    assert (file.status_code, "only a zip of DICOM" in file.json()["detail"]) == (422, True)


def test_a_result_names_its_scan_and_its_model_and_no_patient(served, folder, model_folder):
    content = packed(folder, ["a"])
    links, result = result_of(served, content, params={"dicom": True})
    wanted = {"name": "model.onnx", "sha256": hashlib.sha256((model_folder / "model.onnx").read_bytes()).hexdigest()}
    assert result["model"] == wanted
    source = result["source"]
    assert source["upload_sha256"] == hashlib.sha256(content).hexdigest()
    assert (source["format"], source["series"]["count"], source["series"]["number"]) == ("DICOM", 1, 1)
    _, plain = result_of(served, content)
    assert plain["source"] == source
    text = served.client.get(links["json"]).text
    assert not any(word in text for word in ("Secret", "SECRETID", "1.2.3", "19991231", str(folder)))


def test_a_file_has_no_series(served, scan, tmp_path):
    write_nifti(scan[0], tmp_path / "scan.nii")
    source = result_of(served, (tmp_path / "scan.nii").read_bytes())[1]["source"]
    assert (source["format"], source["series"]) == ("NIfTI", None)
    assert source["size_xyz"] == list(scan[0].grid.shape_zyx[::-1])


def test_the_volume_of_a_class_is_that_of_its_voxels(served, scan, model_folder, tmp_path):
    write_nifti(scan[0], tmp_path / "scan.nii")
    links, result = result_of(served, (tmp_path / "scan.nii").read_bytes())
    (tmp_path / "mask.nii.gz").write_bytes(served.client.get(links["nifti"]).content)
    found = predict(scan[0], load_engine(model_folder / "model.onnx", 1)).segmentation
    voxels = int((found.voxels_zyx == 1).sum())
    assert result["volumes"] == [
        {
            "label": "ball",
            "components": len(result["components"]),
            "voxels": voxels,
            "volume_cm3": pytest.approx(voxels * found.grid.voxel_volume_mm3 / 1000, rel=1e-12),
        }
    ]


def test_the_model_says_what_it_is_for(served, model_folder):
    told = served.client.get("/v1/model").json()
    card = load_engine(model_folder / "model.onnx", 1).card
    assert (told["name"], told["labels"], told["region"]) == ("model.onnx", ["ball"], "body")
    assert (told["training_cases"], told["networks"]) == (card.training_cases, card.n_networks)
    assert told["use"].startswith("Research only") and len(told["sha256"]) == 64
    assert "Research only" in served.client.get("/openapi.json").json()["info"]["description"]
