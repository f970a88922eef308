"""Page in a real browser, at desktop and phone width: a result is shown only with its own input and model."""

import re

import pytest

from browser import chromium
from ctseg.inference.engines import load_engine
from ctseg.inference.predict import predict
from ctseg.scans.nifti import write_nifti
from ctseg.scans.read_scan import read_scan
from dicom_files import REFERABLE, write_series
from page import WIDTHS, address, ball_zip, downloaded, frame_of, give, opened, segment, served, zipped
from serving.page.texts import TEXTS

__all__ = ["address", "ball_zip", "chromium"]  # fixtures
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
HEADING = "ct.zip · model model.onnx"


@pytest.fixture(params=WIDTHS.values(), ids=list(WIDTHS))
def page(chromium, address, request):
    with opened(chromium, address, request.param) as page:
        yield page


@pytest.fixture
def result(page, ball_zip):
    """Page that shows the result of `ball_zip`."""
    give(page, ball_zip)
    segment(page)
    frame_of(page)
    page.get_by_role("heading", name=HEADING).wait_for()
    return page


def gone(page):
    """Wait until no part of a result is left: heading, viewer, downloads, token in the URL."""
    page.get_by_role("heading", name="ct.zip").wait_for(state="detached")
    page.wait_for_url(lambda url: "result=" not in url)
    page.locator("iframe").wait_for(state="detached")
    assert page.get_by_role("button", name="Download").count() == 0


def choose_model(page, name="other.onnx"):
    page.get_by_role("combobox").first.click()
    page.get_by_role("option", name=name).click()


def test_a_missing_model_is_told_in_the_language_of_the_page(chromium, tmp_path):
    with served("nothing.onnx", folder=tmp_path) as url:
        page = chromium.new_page(viewport={"width": WIDTHS["phone"], "height": 900})
        page.goto(url)
        page.get_by_text("the model nothing.onnx does not exist; start the page anew").wait_for()
        page.goto(f"{url}?language=中文")
        page.get_by_text("模型 nothing.onnx 不存在").wait_for()
        page.close()


def test_a_dicom_zip_from_its_drop_to_the_downloads(result, model_folder, tmp_path):
    page, frame = result, frame_of(result)
    found = predict(read_scan(tmp_path / "ct").volume, load_engine(model_folder / "model.onnx", 2))
    assert frame.locator("#rows tbody tr").count() == len(found.components) > 1
    page.get_by_text(f"Found: {len(found.components)} lesions").wait_for()
    write_nifti(found.segmentation, tmp_path / "mask.nii.gz")
    assert downloaded(page, "ct_segmentation.nii.gz") == (tmp_path / "mask.nii.gz").read_bytes()
    assert downloaded(page, "ct_lesions.csv").count(b"\n") == 1 + len(found.components)
    assert downloaded(page, "ct_seg.dcm")[128:132] == b"DICM"
    assert not frame.locator("body").evaluate("(body) => body.scrollWidth > window.innerWidth")
    page.get_by_role("heading", name=HEADING).wait_for()  # a download does not change the page


def remove_file(page):
    page.get_by_role("button", name=re.compile("Remove")).first.click()


def test_each_control_that_changes_scan_or_model_clears_the_result(result, ball_zip, tmp_path):
    page, texts = result, TEXTS["English"]
    (tmp_path / "b.nii").write_bytes(b"Dear colleague" * 99)

    def another_file():
        remove_file(page)
        page.locator("input[type=file]").first.set_input_files(tmp_path / "b.nii")

    def own_label():
        page.get_by_text(texts["own_label"]).first.click()
        page.locator("input[type=file]").nth(1).set_input_files(tmp_path / "b.nii")

    controls = {
        "another model": lambda: choose_model(page),
        "the first model again": lambda: choose_model(page, "model.onnx"),
        "no file": lambda: remove_file(page),
        "another file": another_file,
        "one more file": lambda: page.locator("input[type=file]").first.set_input_files(tmp_path / "b.nii"),
        "an own label": own_label,
        "the example": lambda: page.get_by_text(texts["example"]).click(),
        "a folder": lambda: page.get_by_text(texts["folder"]).click(),
    }
    for name, change in controls.items():
        change()
        gone(page)
        if name != "a folder":
            begin_again(page, ball_zip)


def begin_again(page, path):
    """Remove all files by choosing the example, then upload and segment a file again."""
    page.get_by_text(TEXTS["English"]["example"]).click()
    page.get_by_test_id("stFileUploader").first.wait_for(state="detached")
    give(page, path)
    segment(page)
    page.get_by_role("heading", name="ct.zip").wait_for()
    frame_of(page)


def test_language_and_reload_keep_the_result_until_the_model_changes(result):
    page, texts = result, TEXTS["中文"]
    page.get_by_text("中文").click()
    page.get_by_role("heading", name=texts["result_of"].format(scan="ct.zip", model="model.onnx")).wait_for()
    frame_of(page).get_by_text(texts["hint_full"]).wait_for()
    page.reload()
    page.get_by_role("heading", name=texts["result_of"].format(scan="ct.zip", model="model.onnx")).wait_for()
    page.get_by_role("button", name="ct_segmentation.nii.gz").wait_for()
    page.get_by_text("English").click()
    page.get_by_role("heading", name=HEADING).wait_for()
    choose_model(page)
    gone(page)


def test_a_reload_restores_the_model_and_another_file_clears_the_result(page, ball_zip, tmp_path):
    choose_model(page)
    give(page, ball_zip)
    segment(page)
    heading = page.get_by_role("heading", name="ct.zip · model other.onnx")
    heading.wait_for()
    page.reload()
    heading.wait_for()
    page.get_by_text("Model “other.onnx”").wait_for()
    (tmp_path / "b.nii").write_bytes(b"Dear colleague" * 99)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "b.nii")
    gone(page)


def test_nothing_that_is_clicked_during_a_run_loses_it(page):
    segment(page)
    page.get_by_role("button", name="Cancel").wait_for()
    page.get_by_text("中文").click()
    texts = TEXTS["中文"]
    page.get_by_role("button", name=texts["cancel"]).wait_for()
    assert page.get_by_role("radio", name=texts["upload"]).is_disabled()
    page.reload()
    page.get_by_role("heading", name=texts["example"]).wait_for()
    frame_of(page)


def test_a_run_can_be_cancelled_and_begun_again(page, ball_zip):
    segment(page)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel").wait_for(state="detached")
    page.wait_for_url(lambda url: "result=" not in url)
    give(page, ball_zip)
    segment(page)
    page.get_by_role("heading", name=HEADING).wait_for()
    frame_of(page)


def test_an_address_of_a_result_that_is_no_more_says_so(chromium, address):
    with opened(chromium, address, 1280, "/?result=gone") as page:
        page.get_by_text(TEXTS["English"]["gone"]).wait_for()


def test_one_of_several_series_is_told_and_another_one_can_be_chosen(page, scan, tmp_path):
    write_series(tmp_path / "two" / "long", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    write_series(
        tmp_path / "two" / "short", scan[0].voxels_zyx[:30], scan[0].grid, SeriesInstanceUID="1.2.9", **REFERABLE
    )
    files = sorted((tmp_path / "two").glob("*/*"))
    for file in files:
        file.rename(tmp_path / "two" / f"{file.parent.name}{file.name}")
    for folder in ("long", "short"):
        (tmp_path / "two" / folder).rmdir()
    give(page, zipped(tmp_path / "two", tmp_path / "ct.zip"))
    segment(page)
    page.get_by_text("Series taken: 1: 40 images").wait_for()
    frame_of(page)
    page.get_by_role("combobox").nth(1).click()
    page.get_by_role("option", name="2: 30 images").click()
    gone(page)
    segment(page)
    page.get_by_text("Series taken: 2: 30 images").wait_for()
    frame_of(page)
    assert "Secret" not in page.content()


def test_the_files_of_a_folder(page, scan, tmp_path):
    write_series(tmp_path / "study", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    page.get_by_text(TEXTS["English"]["folder"]).click()
    page.locator("input[type=file]").first.set_input_files(tmp_path / "study")
    segment(page)
    page.get_by_role("heading", name="study (40) · model model.onnx").wait_for()
    assert downloaded(page, "study_seg.dcm")[128:132] == b"DICM"


def test_what_is_no_scan_is_told_in_a_sentence_in_both_languages(page, tmp_path):
    (tmp_path / "letter.nii").write_bytes(b"Dear colleague, " * 100)
    give(page, tmp_path / "letter.nii")
    segment(page)
    page.get_by_text("This scan cannot be segmented").wait_for()
    page.get_by_text("letter.nii · model model.onnx").wait_for()
    assert "Traceback" not in page.content()
    assert page.locator("iframe").count() == 0
    page.get_by_text("中文").click()
    page.get_by_text("从内容看").wait_for()
