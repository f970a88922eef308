"""Page for browser tests, served with two models, and the actions of users on it."""

import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager

import httpx
import pytest

from command import with_folders
from dicom_files import REFERABLE, write_series
from places import ROOT, SCRIPTS
from service import free_port

# Messages of Chromium about the frames of Streamlit, also on an empty page.
OF_STREAMLIT = ("Unrecognized feature:", "An iframe which has both allow-scripts and allow-same-origin")
OF_SOFTWARE_GL = ("[.WebGL-", "GL Driver Message")
WIDTHS = {"desk": 1280, "phone": 390}


@contextmanager
def served(*models, folder):
    """Run the page with these models; yields its URL."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", ROOT / "serving" / "page" / "app.py", "--server.port", port]
    command += ["--server.address", "127.0.0.1", "--server.headless", "true", "--browser.gatherUsageStats", "false"]
    command += ["--server.fileWatcherType", "none", "--client.toolbarMode", "minimal", "--", *models]
    environment = with_folders(ROOT, SCRIPTS)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(list(map(str, command)), cwd=ROOT, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(url)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        else:
            raise TimeoutError(f"the page does not answer; its log: {(folder / 'log').read_text()}")
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def address(model_folder, tmp_path_factory):
    """URL of the page, served with two models of the same weights."""
    folder = tmp_path_factory.mktemp("page")
    other = folder / "other.onnx"
    other.write_bytes((model_folder / "model.onnx").read_bytes())
    # The same network with another hash: doc_string is a field that no program reads.
    import onnx

    network = onnx.load(other)
    network.doc_string = "another file"
    onnx.save(network, other)
    with served(model_folder / "model.onnx", other, folder=folder) as url:
        yield url


@contextmanager
def opened(chromium, address, width, query=""):
    """Open the page; at the end check for console messages and requests to other machines."""
    page = chromium.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(120_000)
    told, asked = [], []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda asking: asked.append(asking.url))
    page.goto(address + query)
    page.get_by_test_id("stMainBlockContainer").get_by_role("button").first.wait_for()
    yield page
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    said = [text for text in told if not text.startswith(OF_STREAMLIT + OF_SOFTWARE_GL)]
    assert not said, said
    foreign = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert not foreign, foreign
    page.close()


def give(page, *paths):
    """Upload the files of one scan and wait until it can be segmented."""
    page.get_by_text("My own scan").click()
    field = page.locator("input[type=file]").first
    field.set_input_files([])  # the same file a second time would cause no event
    field.set_input_files(list(paths))
    page.get_by_role("button", name="Segment").and_(page.locator(":enabled")).wait_for()


def segment(page, name="Segment"):
    """Click the start button as soon as it is enabled."""
    page.get_by_role("button", name=name).and_(page.locator(":enabled")).click()


def frame_of(page):
    """The frame of the viewer, after it is drawn."""
    frame = page.frame_locator("iframe")
    frame.locator("body[data-full]").wait_for()
    return frame


def downloaded(page, name):
    """Bytes of the download with this file name."""
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {name}").click()
    assert download.value.suggested_filename == name
    return download.value.path().read_bytes()


def zipped(folder, path):
    """Write the files of a folder into a zip, in its folder `series`; return the path of the zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"series/{file.name}")
    return path


@pytest.fixture
def ball_zip(scan, tmp_path):
    """Zip of a DICOM series with balls that the model finds."""
    write_series(tmp_path / "ct", scan[0].voxels_zyx, scan[0].grid, **REFERABLE)
    return zipped(tmp_path / "ct", tmp_path / "ct.zip")
