"""Browser for the tests, the installed Chromium."""

import shutil

import pytest

WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")  # software rendering, without a GPU


@pytest.fixture(scope="module")
def chromium():
    """Running Chromium or Chrome of this machine, controlled by Playwright."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert path, "install chromium to run the browser's tests"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *WEBGL])
        yield browser
        browser.close()
