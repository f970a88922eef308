from dataclasses import replace

import pytest

from ball_model import CARD
from ctseg.evaluation.quality_flags import quality_flags, ranges

FACTS = {"spacing_xyz_mm": [0.8, 0.8, 1.5], "size_xyz": [512, 512, 200], "warnings": []}
TRAINED = replace(CARD, trained_on=ranges([FACTS, FACTS | {"size_xyz": [512, 512, 300]}]))
IN_LUNGS = replace(TRAINED, preparation=replace(CARD.preparation, region="lungs"))
GOOD_LUNGS = {"plausible": True, "cut_fraction": 0.0, "reason": ""}
FOUND = [{"mean_entropy_bits": 0.2}, {"mean_entropy_bits": float("nan")}]


def flags(card=TRAINED, lungs=None, components=FOUND, **facts):
    return quality_flags(FACTS | facts, card, lungs, components)


def test_ranges_are_those_of_the_scans():
    assert TRAINED.trained_on == {
        "pixel_spacing_mm": [0.8, 0.8],
        "slice_spacing_mm": [1.5, 1.5],
        "length_mm": [300, 450],
    }


def test_a_scan_like_those_of_training_has_no_flag():
    assert flags() == []
    assert flags(IN_LUNGS, GOOD_LUNGS) == []
    assert flags(CARD) == []  # a model that does not say what it was trained on


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"spacing_xyz_mm": [0.8, 0.8, 5.0], "size_xyz": [512, 512, 70]}, "slices 5 mm apart"),
        ({"spacing_xyz_mm": [0.4, 0.4, 1.5]}, "pixels of 0.4 mm"),
        ({"size_xyz": [512, 512, 40]}, "a length of 60 mm"),
        ({"warnings": ["the gantry was tilted"]}, "tilted"),
    ],
)
def test_an_unusual_scan_is_flagged(facts, words):
    assert any(words in flag for flag in flags(**facts))


def test_thick_slices_are_coarse_for_the_model():
    assert "voxels are much coarser than the model's along z" in flags(CARD, spacing_xyz_mm=[1.0, 1.0, 6.0])


def test_lungs_count_where_the_model_works_in_them():
    cut, wrong = GOOD_LUNGS | {"cut_fraction": 0.2}, GOOD_LUNGS | {"plausible": False, "reason": "no lung was found"}
    assert flags(IN_LUNGS, cut) == ["the scan cuts the lungs"]
    assert "no lung was found" in flags(IN_LUNGS, wrong)[0]
    assert flags(TRAINED, wrong) == []


def test_two_methods_that_differ_on_the_lung_field_are_told():
    facts = {"plausible": True, "cut_fraction": 0.0, "reason": "", "method": "both", "agreement": 0.62}
    (said,) = flags(IN_LUNGS, facts)
    assert said == "threshold and network differ on the lung field (Dice 0.62), which is that of both"
    assert flags(IN_LUNGS, facts | {"agreement": 0.97}) == []
    assert flags(IN_LUNGS, facts | {"agreement": None}) == []


def test_nothing_found_and_doubt_are_flagged():
    assert flags(components=[]) == ["nothing was found"]
    assert flags(components=[{"mean_entropy_bits": 0.8}, *FOUND]) == ["1 of 3 components are uncertain"]
