"""Viewer at full resolution in a browser: its displayed values, and the actions of users."""

import re

import numpy as np


def told(page):
    """Displayed value in HU, position (x, y, z) in mm, and [level, width] of the HU window."""
    value, place, window = (page.locator(f"[data-told={name}]").inner_text() for name in ("value", "place", "window"))
    numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", place)]
    return int(value.removesuffix(" HU")), np.array(numbers), [int(n) for n in re.findall(r"-?\d+", window)]


def at(page, across, down):
    """Pixel coordinates (x, y) on the page of a point in the viewer, given as shares of its width and height."""
    box = page.locator("#full").bounding_box()
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def place_at(page, across, down):
    """Position in mm that the viewer displays for a point."""
    page.mouse.move(*at(page, across, down), steps=2)
    page.evaluate("new Promise(requestAnimationFrame)")
    return told(page)[1]


def show(page, view):
    """Choose a view and wait until the picture has its final size."""
    page.locator("#view").select_option(view)
    page.wait_for_timeout(500)


def drag(page, start, stop, button="left"):
    page.mouse.move(*at(page, *start))
    page.mouse.down(button=button)
    page.mouse.move(*at(page, *[(a + b) / 2 for a, b in zip(start, stop, strict=True)]))
    page.mouse.move(*at(page, *stop))
    page.mouse.up(button=button)


def picture(page):
    page.mouse.move(1, 1)
    page.wait_for_timeout(300)
    return page.locator("#full").screenshot()


def colours(page):
    """Numbers of orange, sky blue and white pixels on the canvas of the outlines."""
    return page.evaluate(
        """() => { const canvas = document.querySelectorAll("#full canvas")[1];
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const found = { orange: 0, sky: 0, white: 0 };
        for (let at = 0; at < data.length; at += 4) {
          if (data[at + 3] < 120) continue;
          if (data[at] > 200 && data[at + 2] < 120) found.orange++;
          else if (data[at] < 120 && data[at + 2] > 200) found.sky++;
          else if (data[at] > 240 && data[at + 2] > 240) found.white++;
        }
        return found; }"""
    )
