"""The demo page in a real browser, at the width of a desk and of a phone."""

import subprocess
import sys
import time
import zipfile

import httpx
import numpy as np
import pytest

from browser import chromium
from command import with_folders
from ctseg.inference.engines import load_engine
from ctseg.inference.predict import predict
from ctseg.scans.nifti import write_nifti
from ctseg.scans.read_scan import read_scan
from dicom_files import REFERABLE, write_series
from places import ROOT, SCRIPTS
from real_data import real_data
from service import free_port
from serving.page.texts import TEXTS

__all__ = ["chromium"]  # a fixture
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

# What Chromium says of the frames that Streamlit makes; it says it of the empty page, too.
OF_STREAMLIT = ("Unrecognized feature:", "An iframe which has both allow-scripts and allow-same-origin")


@pytest.fixture(scope="module")
def address(model_folder, tmp_path_factory):
    """The page, served with two models."""
    port, folder = free_port(), tmp_path_factory.mktemp("page")
    other = folder / "other.onnx"
    other.write_bytes((model_folder / "model.onnx").read_bytes())
    command = [sys.executable, "-m", "streamlit", "run", ROOT / "serving" / "page" / "main.py", "--server.port", port]
    command += ["--server.address", "127.0.0.1", "--server.headless", "true", "--browser.gatherUsageStats", "false"]
    command += ["--client.toolbarMode", "minimal", "--", model_folder / "model.onnx", other]
    environment = with_folders(ROOT, SCRIPTS)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(list(map(str, command)), cwd=ROOT, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                httpx.get(url)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(params=[1300, 390], ids=["desk", "phone"])
def page(chromium, address, request):
    """The page, opened; at the end nothing may have been said on the console or asked of another machine."""
    page = chromium.new_page(viewport={"width": request.param, "height": 900})
    told, asked = [], []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda asking: asked.append(asking.url))
    page.goto(address)
    page.get_by_role("button", name="Segment").wait_for()
    yield page
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert [text for text in told if not text.startswith(OF_STREAMLIT)] == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    page.close()


def drop(page, path):
    """Give the page a file and start."""
    page.get_by_text("My own scan").click()
    page.locator("input[type=file]").set_input_files(path)
    start = page.get_by_role("button", name="Segment")
    start.and_(page.locator(":enabled")).click()


def frame_of(page):
    """The frame with the slices, when it is drawn."""
    frame = page.frame_locator("iframe")
    frame.locator("body[data-ready]").wait_for(timeout=120_000)
    return frame


def drawn(frame, place=0):
    """What stands on a canvas of the slices."""
    return frame.locator(".plane canvas").nth(place).evaluate("(canvas) => canvas.toDataURL()")


def downloaded(page, name):
    """The bytes behind a download button."""
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {name}").click()
    return download.value.path().read_bytes()


@pytest.fixture
def ball_zip(scan, tmp_path):
    """A zip of a DICOM series in which the model finds balls."""
    write_series(tmp_path / "ct", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    with zipfile.ZipFile(tmp_path / "ct.zip", "w") as archive:
        for file in sorted((tmp_path / "ct").iterdir()):
            archive.write(file, f"series/{file.name}")
    return tmp_path / "ct.zip"


def test_a_dicom_zip_from_its_drop_to_the_downloads(page, ball_zip, model_folder, tmp_path):
    drop(page, ball_zip)
    frame = frame_of(page)
    found = predict(read_scan(tmp_path / "ct").volume, load_engine(model_folder / "model.onnx", 2))
    rows = frame.locator("#rows tbody tr")
    assert rows.count() == len(found.components) > 1
    write_nifti(found.segmentation, tmp_path / "mask.nii.gz")
    assert downloaded(page, "segmentation.nii.gz") == (tmp_path / "mask.nii.gz").read_bytes()
    assert downloaded(page, "components.csv").count(b"\n") == 1 + len(found.components)
    assert downloaded(page, "seg.dcm")[128:132] == b"DICM"
    assert not frame.locator("body").evaluate("(body) => body.scrollWidth > window.innerWidth")


def test_slices_surface_and_table_are_linked(page, ball_zip):
    drop(page, ball_zip)
    frame = frame_of(page)
    sliders = frame.locator(".plane input")
    rows = frame.locator("#rows tbody tr")
    places = []
    for number in range(2):
        rows.nth(number).click()
        places.append([sliders.nth(axis).input_value() for axis in range(3)])
        assert rows.nth(number).get_attribute("aria-selected") == "true"
    assert places[0] != places[1]
    before = drawn(frame)
    frame.locator(".plane canvas").first.focus()
    page.keyboard.press("ArrowUp")
    assert int(sliders.first.input_value()) == int(places[1][0]) + 1
    assert drawn(frame) != before
    for choice, value in (("#window", "bone"), ("#style", "area")):
        before = drawn(frame)
        frame.locator(choice).select_option(value)
        assert drawn(frame) != before, choice
    before = drawn(frame)
    frame.locator("#opacity").fill("10")
    assert drawn(frame) != before
    surface = frame.locator("#surface")
    before = surface.evaluate("(canvas) => canvas.toDataURL()")
    surface.focus()
    page.keyboard.press("ArrowLeft")
    turned = surface.evaluate("(canvas) => canvas.toDataURL()")
    assert turned != before
    frame.locator("#classes input").uncheck()
    assert surface.evaluate("(canvas) => canvas.toDataURL()") != turned


def test_the_example_in_chinese_with_another_model(page):
    page.get_by_text("中文").click()
    texts = TEXTS["中文"]
    page.get_by_text(texts["title"]).wait_for()
    page.get_by_role("combobox").click()
    page.get_by_role("option", name="other.onnx").click()
    page.get_by_role("button", name=texts["start"]).click()
    frame = frame_of(page)
    assert frame.get_by_text(texts["hint"]).is_visible()
    assert frame.get_by_text(texts["axial"], exact=True).is_visible()


def test_what_is_no_scan_is_told_in_a_sentence(page, tmp_path):
    (tmp_path / "letter.nii").write_bytes(b"Dear colleague, " * 100)
    drop(page, tmp_path / "letter.nii")
    page.get_by_text("This scan cannot be segmented").wait_for()
    assert "Traceback" not in page.content()
    assert page.locator("iframe").count() == 0


@pytest.mark.realdata
def test_a_real_chest(page):
    folder = real_data("chest-nifti")
    drop(page, max(folder.rglob("*.nii.gz"), key=lambda path: path.stat().st_size * ("image" in path.name)))
    frame = frame_of(page)
    picture = np.frombuffer(drawn(frame).encode(), np.uint8)
    assert picture.size > 20_000  # a black square takes a tenth of that
