"""Report in a real browser, at the widths of a desktop and a phone."""

import pytest

from browser import chromium
from studies import TINY, snakemake

__all__ = ["chromium"]  # a fixture
pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Path of the report of the small study."""
    folder = tmp_path_factory.mktemp("study")
    run = snakemake(folder, TINY, "--resources", "gpu=0")
    assert run.returncode == 0, run.stdout
    return folder / "results" / "tiny" / "report.html"


@pytest.fixture(params=[1300, 390], ids=["desk", "phone"])
def page(chromium, report, request):
    """Open report; at the end check for console messages and network requests."""
    page = chromium.new_page(viewport={"width": request.param, "height": 900})
    told, asked = [], []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda asking: asked.append(asking.url))
    page.goto(report.as_uri())
    page.wait_for_selector("#viewer canvas")
    yield page
    assert told == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    page.close()


def column(page, name):
    """Texts of a column in the visible rows of the table of cases."""
    return page.evaluate(
        """(name) => {
            const table = document.querySelector("#results table");
            const place = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === name);
            return [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[place].textContent);
        }""",
        name,
    )


def test_a_case_opens_at_full_resolution(page):
    page.locator("#viewer a").first.click()
    page.locator("body[data-full=true]").wait_for(timeout=120_000)
    assert page.locator("[data-told=value]").inner_text().endswith(" HU")


def test_the_page_is_no_wider_than_the_window(page):
    assert page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth")


def test_cases_sort_and_filter(page):
    cases = column(page, "case")
    assert len(cases) > 1
    heading = page.locator("#results th", has_text="reference volume cm3").locator("button")
    heading.click()
    rising = [float(value) for value in column(page, "reference volume cm3")]
    assert rising == sorted(rising)
    heading.click()
    assert [float(value) for value in column(page, "reference volume cm3")] == rising[::-1]
    page.locator("#results input[type=search]").first.fill(f"{cases[-1]} nodule")
    assert column(page, "case") == [cases[-1]]


def test_a_case_leads_to_its_picture(page):
    link = page.locator("#results td a").first
    link.click()
    name = link.text_content()
    page.wait_for_function(
        "(name) => { const box = document.getElementById('case-' + name).getBoundingClientRect(); "
        "return box.top < window.innerHeight && box.bottom > 0; }",
        arg=name,
    )
    wide = "(name) => document.querySelector(`[id='case-${name}'] img`).naturalWidth > 300"  # loaded once it is in view
    page.wait_for_function(wide, arg=name)


def shown(page):
    """Screenshots of the planes of the viewer."""
    return [canvas.screenshot() for canvas in page.locator("#viewer canvas").all()]


def test_slices_follow_sliders_clicks_keys_and_choices(page):
    page.wait_for_function("document.querySelector('#viewer canvas').width > 50")
    first = shown(page)
    page.locator("#viewer input[type=range]").first.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    moved = shown(page)
    assert moved[0] != first[0]
    page.locator("#viewer canvas").first.click(position={"x": 30, "y": 40})
    clicked = shown(page)
    assert clicked[1] != moved[1]
    assert clicked[2] != moved[2]
    page.locator("#viewer canvas").nth(1).hover()
    page.mouse.wheel(0, 100)
    page.wait_for_timeout(100)
    scrolled = shown(page)
    assert scrolled[1] != clicked[1]
    page.locator("#viewer-case").select_option(index=0)
    page.wait_for_timeout(500)
    with_label = shown(page)
    page.locator("#viewer-reference").uncheck()
    assert shown(page) != with_label


def test_every_picture_and_drawing_is_whole(page):
    page.evaluate("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; })")
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 100)")
    assert page.evaluate("document.images.length") > 6
