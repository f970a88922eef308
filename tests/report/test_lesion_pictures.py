import base64
import re
from io import BytesIO

import numpy as np
import pandas as pd
from PIL import Image

from ctseg.colours import ORANGE, SKY
from ctseg.geometry.volume import Grid, Volume
from ctseg.report.lesion_pictures import chosen_lesions, lesion_pictures, told

FLIPPED = ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((20, 100, 120), (1.0, 1.0, 2.0), (60.0, 0, 0), FLIPPED)


def lesions(*rows):
    """Table of lesions from (case, state, volume in cm³, split)."""
    table = pd.DataFrame(rows, columns=["case", "state", "volume_cm3", "split"])
    where = {"label": "nodule", "diameter_mm": 8.0, "x_mm": 20.0, "y_mm": 50.0, "z_mm": 20.0}
    return table.assign(lesion=range(1, len(table) + 1), **where)


FAILED = lesions(
    ("a", "missed", 1.0, "test"),
    ("a", "found", 9.0, "test"),
    ("b", "missed", 2.0, "test"),
    ("b", "false", 0.5, "test"),
    ("c", "missed", 5.0, "val"),
    ("c", "false", 3.0, "val"),
    ("d", "false", 0.7, "test"),
)


def picked(most):
    return [(row.case, row.state) for row in chosen_lesions(FAILED, "test", most).itertuples()]


def test_large_lesions_of_the_held_out_cases_come_first_half_of_each_kind():
    assert picked(2) == [("b", "missed"), ("d", "false")]
    assert picked(4) == [("b", "missed"), ("a", "missed"), ("d", "false"), ("b", "false")]
    assert [case for case, _ in picked(100)] == ["b", "a", "c", "d", "b", "c"]
    assert picked(0) == []
    many = lesions(*[("a", "missed", 1.0, "test")] * 5, ("b", "false", 1.0, "test"))
    assert chosen_lesions(many, "test", 4)["state"].tolist() == ["missed"] * 3 + ["false"]


def test_how_many_are_shown_is_told():
    assert told(FAILED, 6) == "3 lesions missed and 3 false in all measured cases."
    assert "2 of them are shown" in told(FAILED, 2)


def test_a_picture_shows_label_and_segmentation_around_the_lesion():
    label, found = (np.zeros(GRID.shape_zyx, np.uint8) for _ in range(2))
    label[8:13, 46:55, 36:45] = 1
    found[8:13, 60:66, 36:45] = 1
    volumes = (Volume(np.zeros(GRID.shape_zyx, np.int16), GRID), Volume(found, GRID), Volume(label, GRID))
    asked = []

    def read(case):
        asked.append(case)
        return volumes

    (first, second) = lesion_pictures(FAILED.iloc[[0, 2]], read, (-1000, 400))
    assert asked == ["a", "b"]
    assert first["caption"] == "a, nodule: missed, 8.0 mm, 1 cm³"
    assert 'alt="b, nodule: missed' in second["image"]
    data = base64.b64decode(re.search(r"base64,([^\"]+)", first["image"])[1])
    pixels = np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)
    for colour in (SKY, ORANGE):
        wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        assert (np.abs(pixels - wanted).sum(axis=2) < 150).sum() > 20
    again = lesion_pictures(FAILED.iloc[[0]], read, (-1000, 400))
    assert again[0]["image"] == first["image"]
