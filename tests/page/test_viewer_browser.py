"""Viewer at full resolution in a real browser: displayed values and images equal the scan."""

import functools
import io
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from browser import chromium
from ctseg.geometry.volume import Grid, Volume
from ctseg.masks.components import measure_components
from ctseg.report.niivue import niivue_script
from ctseg.report.slice_viewer import LONGEST
from ctseg.scans.nifti import read_nifti, write_nifti
from page import OF_SOFTWARE_GL, WIDTHS
from real_data import real_data
from serving.page.texts import TEXTS
from serving.page.view import document, scene
from viewer import at, colours, drag, picture, place_at, show, told

__all__ = ["chromium"]  # a fixture
OF_READING = ("Canvas2D: Multiple readback",)  # caused by the tests
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

TEXT = TEXTS["English"]
FEET_FIRST_FRONT_TO_BACK = ((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
NO_WEBGL = """const made = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  return kind.startsWith("webgl") ? null : made.call(this, kind, ...more);
};"""


def two_lesions():
    """Scan with random values on a turned grid, label map with two classes, and own label of the first class."""
    grid = Grid((30, 60, 50), (1.0, 2.0, 1.5), (5.0, -7.0, 11.0), FEET_FIRST_FRONT_TO_BACK)
    hu = np.random.default_rng(0).integers(-100, 200, grid.shape_zyx).astype(np.int16)
    classes = np.zeros(grid.shape_zyx, np.uint8)
    classes[5:9, 10:16, 30:38] = 1
    classes[20:23, 40:44, 8:11] = 2
    return Volume(hu, grid), Volume(classes, grid), Volume(np.roll(classes * (classes == 1), 2, axis=2), grid)


def write_site(folder, image, classes, label=None, names=("tumour", "cyst"), code=None):
    """Write the viewer of a scan and its volumes into a folder, with the URLs of the page."""
    (folder / "ctseg" / "t").mkdir(parents=True)
    volumes = {"scan": image, "segmentation": classes} | ({"label": label} if label else {})
    for name, volume in volumes.items():
        write_nifti(volume, folder / "ctseg" / "t" / f"{name}.nii")
    (folder / "favicon.ico").touch()
    if code:
        (folder / "ctseg" / "niivue.js").write_bytes(code)
    shown = scene(image, classes, measure_components(classes, image), names)
    page = document(shown, TEXT, {name: f"/ctseg/t/{name}.nii" for name in volumes})
    (folder / "index.html").write_text(page, encoding="utf-8")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Function that serves a new folder written by `write_site`; returns its URL."""
    servers = []

    def serve(*given, **more):
        folder = tmp_path_factory.mktemp("site")
        write_site(folder, *given, **more)
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    for server in servers:
        server.shutdown()


@pytest.fixture(scope="module")
def lesions(site):
    return site(*two_lesions(), code=niivue_script())


def opened(chromium, address, width, script=""):
    page = chromium.new_page(viewport={"width": width, "height": 1000})
    page.set_default_timeout(120_000)
    page.told = []
    page.on("console", lambda message: page.told.append(message.text))
    page.on("pageerror", lambda error: page.told.append(str(error)))
    page.on("request", lambda asking: page.told.extend([] if asking.url.startswith(address) else [asking.url]))
    if script:
        page.add_init_script(script)
    page.goto(address)
    page.locator("body[data-full]").wait_for()
    return page


@pytest.fixture(params=WIDTHS.values(), ids=list(WIDTHS))
def page(chromium, lesions, request):
    page = opened(chromium, lesions, request.param)
    assert page.locator("body").get_attribute("data-full") == "true"
    yield page
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert [text for text in page.told if not text.startswith(OF_SOFTWARE_GL + OF_READING)] == []
    page.close()


def test_value_and_place_under_the_pointer_are_those_of_the_scan(page):
    image = two_lesions()[0]
    show(page, "view_all")
    places = []
    for across in np.linspace(0.05, 0.95, 13):
        for down in (0.3, 0.45, 0.6):
            page.mouse.move(*at(page, across, down))
            page.evaluate("new Promise(requestAnimationFrame)")
            value, place_mm, _ = told(page)
            index = image.grid.indices_zyx(place_mm[None])[0]
            if np.abs(index % 1 - 0.5).min() > 0.1:  # not between two voxels: positions are displayed to 0.1 mm
                places.append(tuple(place_mm))
                assert value == image.voxels_zyx[tuple(np.rint(index).astype(int))]
    assert len(set(places)) >= 5


def test_the_patients_right_is_on_the_left_and_the_front_above(page):
    show(page, "axial")
    left, right, below = (place_at(page, *place) for place in ((0.45, 0.5), (0.55, 0.5), (0.55, 0.6)))
    assert right[0] > left[0]  # x points to the patient's left
    assert below[1] > right[1]  # y points to the back


def test_windows_by_choice_and_by_drag(page):
    before = picture(page)
    page.locator("#window").select_option("bone")
    assert told(page)[2] == [400, 1800]
    assert picture(page) != before
    drag(page, (0.5, 0.5), (0.6, 0.5), button="right")
    page.wait_for_timeout(300)
    level, width = told(page)[2]
    assert level == 400
    assert width > 1800
    page.locator("#tool").select_option("tool_window")
    drag(page, (0.5, 0.5), (0.5, 0.6))
    page.wait_for_timeout(300)
    assert told(page)[2][0] < 400
    page.locator("#reset").click()
    assert told(page)[2] == [-300, 1400]


def test_zoom_pan_and_reset(page):
    before = picture(page)
    page.locator("#tool").select_option("tool_zoom")
    page.mouse.move(*at(page, 0.5, 0.5))
    page.mouse.wheel(0, -300)
    zoomed = picture(page)
    assert zoomed != before
    drag(page, (0.5, 0.5), (0.55, 0.6))
    assert picture(page) not in (before, zoomed)
    page.locator("#reset").click()
    again, first = (np.asarray(Image.open(io.BytesIO(png)).convert("L"), float) for png in (picture(page), before))
    assert np.abs(again - first).mean() < 0.5  # antialiasing of lines differs by rounding


def test_a_measured_distance_is_that_of_its_ends(page):
    show(page, "axial")
    ends = [place_at(page, *place) for place in ((0.47, 0.4), (0.54, 0.6))]
    page.locator("#tool").select_option("tool_measure")
    drag(page, (0.47, 0.4), (0.54, 0.6))
    measured = page.evaluate("full.viewer.document.completedMeasurements.map(({ distance }) => distance)")
    assert measured == [pytest.approx(np.linalg.norm(ends[1] - ends[0]), abs=0.3)]
    page.locator("#clear").click()
    assert page.evaluate("full.viewer.document.completedMeasurements.length") == 0


def test_rows_keys_and_wheel_move_the_cross(page):
    image = two_lesions()[0]
    for number in range(2):
        page.locator("#rows tbody tr").nth(number).click()
        row = page.evaluate(f"scene.rows[{number}].centre_xyz_mm")
        assert np.abs(told(page)[1] - row).max() <= max(image.grid.spacing_xyz_mm)
    show(page, "axial")
    before = told(page)[1]
    page.locator("#full canvas").first.focus()
    page.keyboard.press("ArrowUp")
    np.testing.assert_allclose(told(page)[1] - before, [0, 0, image.grid.spacing_xyz_mm[2]], atol=0.11)
    page.keyboard.press("m")  # a key that NiiVue handles by default
    assert page.evaluate("full.viewer.opts.dragMode") == 0


def test_outlines_of_segmentation_and_own_label_and_areas(page):
    page.locator("#rows tbody tr").first.click()
    show(page, "axial")
    drawn = colours(page)
    assert drawn["orange"] > 20
    assert drawn["white"] > 20
    page.get_by_label(TEXT["own"]).uncheck()
    assert colours(page)["white"] == 0
    page.get_by_label("tumour").uncheck()
    assert colours(page)["orange"] == 0
    page.get_by_label("tumour").check()
    outlined = picture(page)
    page.locator("#style").select_option("area")
    assert colours(page)["orange"] == 0
    areas = picture(page)
    assert areas != outlined
    page.locator("#opacity").fill("90")
    assert picture(page) != areas


@pytest.mark.parametrize("without", ["webgl", "code"])
def test_without_webgl_or_its_code_the_coarse_slices_stay(without, chromium, lesions, site):
    address = lesions if without == "webgl" else site(*two_lesions())
    page = opened(chromium, address, 1280, NO_WEBGL if without == "webgl" else "")
    assert page.locator("body").get_attribute("data-full") == "false"
    assert page.locator(".plane canvas").count() == 3
    assert page.locator(".plane canvas").first.is_visible()
    assert page.locator("#hint").inner_text() == TEXT["hint"]
    assert not page.locator("#full, #tools, #pointer").filter(visible=True).count()
    page.close()


@pytest.mark.realdata
def test_a_real_chest_is_shown_voxel_by_voxel(chromium, site):
    folder = real_data("chest-nifti/lidc-0001")
    image, label = (read_nifti(folder / f"{name}.nii.gz") for name in ("image", "label"))
    classes = Volume((label.voxels_zyx > 0).astype(np.uint8), label.grid)
    assert max(image.voxels_zyx.shape) > LONGEST  # the coarse slices omit voxels
    page = opened(chromium, site(image, classes, names=["nodule"], code=niivue_script()), 1280)
    assert page.locator("body").get_attribute("data-full") == "true"
    sizes = page.evaluate("full.viewer.volumes[0].dims.slice(1, 4)")
    assert sizes == list(image.voxels_zyx.shape[::-1])
    value, place_mm, _ = told(page)
    assert value == image.voxels_zyx[tuple(np.rint(image.grid.indices_zyx(place_mm[None])[0]).astype(int))]
    assert colours(page)["orange"] > 10
    page.close()
