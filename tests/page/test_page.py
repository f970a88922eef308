"""Content and downloads of the demo page for a scan, tested without a browser."""

import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from cards import CARD
from ctseg.errors import InputError
from ctseg.geometry.resample import to_sitk
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.engines import load_engine
from ctseg.inference.predict import predict
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.masks.components import measure_components
from ctseg.scans.nifti import read_nifti, write_nifti
from ctseg.scans.read_scan import read_scan
from dicom_files import REFERABLE, write_series
from hostile import zip_of
from serving.page.inputs import Upload
from serving.page.texts import TEXTS, training_data
from serving.page.view import document, scene, surface
from serving.page.work import Asked, Cancelled, segment
from serving.settings import Settings

LEFT_BACK_HEAD = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
FEET_FIRST = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))


@pytest.fixture
def model(model_folder):
    return model_folder / "model.onnx"


def work(data, model, told=None, name="LUNG_1.nii.gz", label=None, **more):
    steps = told if told is not None else []
    asked = Asked(name, (Upload(name, data),), label=label)
    return segment(asked, load_engine(model, 2), model, Settings(), lambda *step: steps.append(step), **more)


def two_lesions(direction=LEFT_BACK_HEAD):
    """Scan of a body with one lesion of each of two classes, and its label map."""
    grid = Grid((30, 60, 50), (1.0, 1.0, 2.0), (5.0, -7.0, 11.0), direction)
    hu = np.full(grid.shape_zyx, -1000, np.int16)
    hu[2:-2, 5:-5, 5:-5] = 40
    classes = np.zeros(grid.shape_zyx, np.uint8)
    classes[5:9, 10:16, 30:38] = 1
    classes[20:23, 40:44, 8:11] = 2
    return Volume(hu, grid), Volume(classes, grid)


@pytest.mark.parametrize("direction", [LEFT_BACK_HEAD, FEET_FIRST])
def test_a_row_leads_to_its_component(direction):
    image, classes = two_lesions(direction)
    shown = scene(image, classes, measure_components(classes, image), ["tumour", "cyst"])
    masks = unpacked(shown, "masks", np.uint8)
    assert [row["label"] for row in shown["rows"]] == ["tumour 1", "cyst 1"]
    assert [masks[tuple(row["at_zyx"])] for row in shown["rows"]] == [1, 2]
    assert masks[tuple(shown["focus_zyx"])] == 1
    assert set(np.unique(unpacked(shown, "grey", "<i2"))) >= {40}


def unpacked(shown, name, dtype):
    import base64
    import gzip

    return np.frombuffer(gzip.decompress(base64.b64decode(shown[name])), dtype).reshape(shown["shape_zyx"])


def test_a_surface_encloses_its_mask_and_is_light():
    mask = np.zeros((40, 50, 60), bool)
    mask[10:20, 5:25, 30:50] = True
    found = surface(mask)
    points = np.reshape(found["points"], (-1, 3)) / 10
    np.testing.assert_allclose(points.min(axis=0), [29.5, 4.5, 9.5], atol=0.3)
    np.testing.assert_allclose(points.max(axis=0), [49.5, 24.5, 19.5], atol=0.3)
    assert max(found["triangles"]) == len(points) - 1
    noise = np.random.default_rng(0).random((80, 80, 80)) < 0.5
    assert len(surface(noise)["triangles"]) / 3 < 12_001
    one = np.zeros((9, 9, 9), bool)
    one[4, 4, 4] = True
    assert surface(one)["triangles"]
    assert surface(one & False) == {"points": [], "triangles": []}


def test_the_document_loads_nothing_and_names_are_text():
    image, classes = two_lesions()
    rows = measure_components(classes, image)
    page = document(scene(image, classes, rows, ["</script><script>alert(1)", "cyst"]), TEXTS["English"])
    assert "<script>alert" not in page
    assert not re.search(r"(src|href)=|url\(|https?:", page)


def test_the_page_tells_what_a_model_was_trained_on():
    assert training_data(CARD, TEXTS["English"]) == CARD.training_data == "3 scans of 2 patients"
    toy = replace(CARD, phantom=True)
    assert training_data(toy, TEXTS["English"]) == "3 simulated phantoms"
    assert training_data(replace(CARD, training_patients=0), TEXTS["中文"]) == "3 个扫描"


def test_all_languages_have_the_same_texts():
    keys = {language: list(texts) for language, texts in TEXTS.items()}
    assert set(map(tuple, keys.values())) == {tuple(keys["English"])}
    assert all(text.strip() for texts in TEXTS.values() for text in texts.values())


def test_a_dropped_file_is_segmented_as_predict_does(model, scan, tmp_path):
    write_nifti(scan[0], tmp_path / "scan.nii.gz")
    told = []
    shown = work((tmp_path / "scan.nii.gz").read_bytes(), model, told)
    expected = predict(read_scan(tmp_path / "scan.nii.gz").volume, load_engine(model, 2))
    write_nifti(expected.segmentation, tmp_path / "mask.nii.gz")
    assert shown.files["LUNG_1_segmentation.nii.gz"] == (tmp_path / "mask.nii.gz").read_bytes()
    assert len(shown.files["LUNG_1_lesions.csv"].splitlines()) == 1 + len(expected.components)
    assert set(shown.files) == {"LUNG_1_segmentation.nii.gz", "LUNG_1_lesions.csv"}
    (tmp_path / "full.nii.gz").write_bytes(shown.volumes["scan"])
    np.testing.assert_array_equal(read_nifti(tmp_path / "full.nii.gz").voxels_zyx, scan[0].voxels_zyx)
    assert set(shown.volumes) == {"scan", "segmentation"}
    assert [step for step, _ in told][:2] == ["reading", "waiting"]
    assert ("segmenting", 1.0) in told


def test_a_dropped_series_gives_dicom_too(model, scan, tmp_path):
    write_series(tmp_path / "ct", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    shown = work(zipped(tmp_path / "ct", tmp_path / "ct.zip"), model, name="ct.zip")
    names = {"segmentation.nii.gz", "lesions.csv", "seg.dcm", "rtstruct.dcm", "report.dcm"}
    assert set(shown.files) == {f"ct_{name}" for name in names}
    for name, data in shown.files.items():
        (tmp_path / name.removeprefix("ct_")).write_bytes(data)
    mask = read_nifti(tmp_path / "segmentation.nii.gz")
    found = read_label(tmp_path / "seg.dcm", LabelSettings({"ball": 1}), mask.grid, "scan")
    np.testing.assert_array_equal(found.voxels_zyx, mask.voxels_zyx)


def test_a_series_that_nothing_can_refer_to_is_segmented_and_says_so(model, scan, tmp_path):
    write_series(tmp_path / "ct", scan[0].voxels_zyx, scan[0].grid)
    shown = work(zipped(tmp_path / "ct", tmp_path / "ct.zip"), model, name="ct.zip")
    assert set(shown.files) == {"ct_segmentation.nii.gz", "ct_lesions.csv"}
    told = [caution.text for caution in shown.cautions]
    assert any("no DICOM object can refer to them" in text for text in told)
    assert not any("cases.exclude" in text or "--dicom" in text for text in told)  # advice for the workflow
    assert not any(str(tmp_path) in text or "/tmp" in text for text in told)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no scan at all" * 100, "by its content"),
        (zip_of([("../../evil", b"x")]), "outside of itself"),
        (zip_of([("readme.txt", b"hello")]), "DICOM"),
    ],
)
def test_what_is_no_scan_is_told_in_a_sentence(model, data, message):
    with pytest.raises(InputError, match=message) as caught:
        work(data, model)
    assert "/tmp" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii"])
def test_every_format_gives_the_same(suffix, model, scan, tmp_path):
    sitk.WriteImage(to_sitk(scan[0]), str(tmp_path / f"scan{suffix}"))
    write_nifti(scan[0], tmp_path / "scan.nii.gz")
    found = work((tmp_path / f"scan{suffix}").read_bytes(), model)
    expected = work((tmp_path / "scan.nii.gz").read_bytes(), model)
    assert found.files == expected.files


def test_dicom_files_one_by_one_and_a_series_among_several(model, scan, tmp_path):
    write_series(tmp_path / "long", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    write_series(tmp_path / "short", scan[0].voxels_zyx[:30], scan[0].grid, SeriesInstanceUID="1.2.9", **REFERABLE)
    uploads = tuple(Upload(path.name, path.read_bytes()) for path in sorted(tmp_path.glob("*/*")))
    told = []
    for uid, slices in (("", 40), ("1.2.9", 30)):
        asked = Asked("two (70)", uploads, uid)
        shown = segment(asked, load_engine(model, 2), model, Settings(), lambda *step: None, told.extend)
        (tmp_path / "mask.nii.gz").write_bytes(shown.files["two_segmentation.nii.gz"])
        assert read_nifti(tmp_path / "mask.nii.gz").voxels_zyx.shape[0] == slices
        assert shown.series_uid == uid or not uid
    assert [row.images for row in told[:2]] == [40, 30]
    assert not any("Secret" in str(row) or "SECRET" in str(row) for row in told)


def test_an_own_label_is_compared_and_a_wrong_one_is_told(model, scan, tmp_path):
    write_nifti(scan[0], tmp_path / "scan.nii.gz")
    write_nifti(Volume(scan[1].astype(np.uint8), scan[0].grid), tmp_path / "own.nii.gz")
    data = (tmp_path / "scan.nii.gz").read_bytes()
    shown = work(data, model, label=Upload("own.nii.gz", (tmp_path / "own.nii.gz").read_bytes()))
    assert 0.7 < shown.dice[0] <= 1
    assert set(shown.volumes) == {"scan", "segmentation", "label"}
    shown = work(data, model, label=Upload("letter.nii", b"Dear colleague" * 99))
    assert shown.dice == ()
    assert [caution.kind for caution in shown.cautions][-1] == "own_label"
    assert "/tmp" not in shown.cautions[-1].text
    assert shown.files["LUNG_1_segmentation.nii.gz"]


def test_a_run_that_nobody_wants_any_more_ends(model, scan, tmp_path):
    write_nifti(scan[0], tmp_path / "scan.nii.gz")
    upload = Upload("scan.nii.gz", (tmp_path / "scan.nii.gz").read_bytes())

    def tell(step, fraction):
        if step == "segmenting":
            raise Cancelled

    with pytest.raises(Cancelled):
        segment(Asked("scan", (upload,)), load_engine(model, 2), model, Settings(), tell)


def test_the_sum_of_volumes_is_that_of_the_voxels():
    image, classes = two_lesions()
    shown = scene(image, classes, measure_components(classes, image), ["tumour", "cyst"])
    assert shown["volume_cm3"] == pytest.approx(np.count_nonzero(classes.voxels_zyx) * 2.0 / 1000)


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path.read_bytes()
