"""Pages with a scan at full resolution that can be opened as local files."""

import base64
import gzip
import json
import re

import numpy as np
import pytest

from browser import chromium
from ctseg.errors import MachineError
from ctseg.geometry.volume import Grid, Volume
from ctseg.report import full_viewer
from ctseg.report.full_viewer import write_full_viewer

__all__ = ["chromium"]  # a fixture


def given():
    grid = Grid((10, 30, 20), (1.0, 1.0, 2.0), (5.0, -7.0, 11.0), ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)))
    image = Volume(np.random.default_rng(0).integers(-100, 200, grid.shape_zyx).astype(np.int16), grid)
    classes = np.zeros(grid.shape_zyx, np.uint8)
    classes[3:6, 10:15, 8:13] = 1
    return (
        image,
        Volume(classes, grid),
        Volume(np.roll(classes, 1, axis=2), grid),
        ("nodule </script>",),
        (-160.0, 240.0),
    )


@pytest.fixture
def written(tmp_path, request):
    return write_full_viewer(tmp_path / "viewer", "case_1", *given())


def test_a_page_has_its_files_beside_it_and_loads_no_other(written):
    names = {path.name for path in written.parent.iterdir()}
    assert names == {"case_1.html", "case_1.js", "niivue.js"}
    page = written.read_text(encoding="utf-8")
    assert set(re.findall(r'src="([^"]*)"', page)) == {"case_1.js", "niivue.js"}
    assert "nodule </script>" not in page
    packed = json.loads((written.parent / "case_1.js").read_text().removeprefix("const packed = ").rstrip(";\n"))
    raw = gzip.decompress(base64.b64decode(packed["scan"]))
    np.testing.assert_array_equal(np.frombuffer(raw[352:], "<i2"), given()[0].voxels_zyx.ravel())
    assert set(packed) == {"scan", "segmentation", "label"}


def test_without_the_package_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(full_viewer, "niivue_script", lambda: None)
    with pytest.raises(MachineError, match="pip install ipyniivue"):
        write_full_viewer(tmp_path, "case_1", *given())


@pytest.mark.browser
@pytest.mark.timeout(300)
@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_from_a_file(written, chromium, width):
    page = chromium.new_page(viewport={"width": width, "height": 900})
    told = []
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda asking: told.extend([] if asking.url.startswith(("file:", "blob:")) else [asking.url]))
    page.goto(written.as_uri())
    page.locator("body[data-full=true]").wait_for(timeout=120_000)
    place_mm = np.array([float(n) for n in re.findall(r"-?\d+\.?\d*", page.locator("[data-told=place]").inner_text())])
    image, classes, *_ = given()
    index = tuple(np.rint(image.grid.indices_zyx(place_mm[None])[0]).astype(int))
    assert page.locator("[data-told=value]").inner_text() == f"{image.voxels_zyx[index]} HU"
    assert classes.voxels_zyx[index] == 1
    assert page.locator("[data-told=window]").inner_text() == "40 / 400 HU"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert told == []
    page.close()


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_a_viewer_that_fails_says_so(written, chromium):
    data = written.parent / "case_1.js"
    data.write_text(data.read_text().replace('"scan": "', '"scan": "damaged'))
    page = chromium.new_page()
    page.goto(written.as_uri())
    page.locator("body[data-full=false]").wait_for(timeout=120_000)
    assert "failed" in page.locator("#problem").inner_text()
    assert not page.locator("#full").is_visible()
    page.close()
