"""The machine's own browser."""

import shutil

import pytest

WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")  # computed on the processor, without a GPU


@pytest.fixture(scope="module")
def chromium():
    """The machine's own Chromium."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert path, "install chromium to run the browser's tests"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *WEBGL])
        yield browser
        browser.close()
