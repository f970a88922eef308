import numpy as np
import pytest

from ctseg.geometry.volume import Grid, Volume
from ctseg.labels.correction import as_segmented, correction_facts
from ctseg.labels.read_label import LabelSettings

GRID = Grid((2, 4, 5), (10.0, 10.0, 5.0), (0.0, 0.0, 0.0), ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))


def labels(**places):
    voxels = np.zeros(GRID.shape_zyx, np.uint8)
    for name, (rows, columns) in places.items():
        voxels[0, rows, columns] = {"lung": 1, "tumour": 2}[name]
    return Volume(voxels, GRID)


def test_what_a_correction_adds_and_removes():
    before = labels(lung=(0, slice(0, 4)), tumour=(1, slice(0, 2)))
    after = labels(lung=(0, slice(1, 5)))
    facts = correction_facts(after, before, ["lung", "tumour", "node"])
    assert facts["lung"] == {
        "before_cm3": 2.0,
        "added_cm3": 0.5,
        "removed_cm3": 0.5,
        "dice_with_before": 0.75,
    }
    assert facts["tumour"]["removed_cm3"] == 1.0
    assert facts["tumour"]["dice_with_before"] == 0
    assert facts["node"]["dice_with_before"] is None


def test_nothing_is_compared_where_there_was_no_label():
    assert correction_facts(labels(), None, ["lung"]) == {}


@pytest.mark.parametrize("values", [(1, 2), (7, 3)])
def test_the_values_of_a_correction_are_those_of_a_segmentation(values):
    settings = LabelSettings(dict(zip(("lung", "tumour"), values, strict=True)), missing_ok=True)
    assert as_segmented(settings) == LabelSettings({"lung": 1, "tumour": 2}, missing_ok=True)
