from dataclasses import replace

import pytest

from ball_model import CARD
from ctseg.evaluation.quality_flags import KINDS, quality_flags, ranges
from ctseg.scans.scan_warnings import warnings_of

FACTS = {"spacing_xyz_mm": [0.8, 0.8, 1.5], "size_xyz": [512, 512, 200], "warnings": []}
TRAINED = replace(CARD, trained_on=ranges([FACTS, FACTS | {"size_xyz": [512, 512, 300]}]))
IN_LUNGS = replace(TRAINED, preparation=replace(CARD.preparation, region="lungs"))
GOOD_LUNGS = {"plausible": True, "cut_fraction": 0.0, "reason": ""}


def component(number, bits, label=1):
    return {"label": label, "component": number, "mean_entropy_bits": bits}


FOUND = [component(1, 0.2), component(2, float("nan"))]


def flags_of(card=TRAINED, lungs=None, components=FOUND, **facts):
    found = quality_flags(FACTS | facts, card, lungs, components)
    assert {flag.kind for flag in found} <= set(KINDS)
    return found


def flags(*arguments, **more):
    return [flag.text for flag in flags_of(*arguments, **more)]


def test_ranges_are_those_of_the_scans():
    assert TRAINED.trained_on == {
        "pixel_spacing_mm": [0.8, 0.8],
        "slice_spacing_mm": [1.5, 1.5],
        "length_mm": [300, 450],
    }


def test_a_scan_like_those_of_training_has_no_flag():
    assert flags() == []
    assert flags(IN_LUNGS, GOOD_LUNGS) == []
    assert flags(CARD) == []  # a model without information on its training data


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
    assert said.startswith("threshold and network find different lung fields (Dice 0.62); the threshold's is used with")
    assert flags(IN_LUNGS, facts | {"agreement": 0.97}) == []
    assert flags(IN_LUNGS, facts | {"agreement": None}) == []


def test_nothing_found_and_doubt_are_flagged():
    assert flags(components=[]) == ["nothing was found"]
    one = [component(1, 0.8), component(2, 0.2), component(3, None)]
    assert flags(components=one) == ["1 of 3 lesions (ball) is uncertain; check it: number 1"]
    [flag] = flags_of(components=[component(number, 0.7) for number in range(1, 13)])
    assert flag.text.startswith("12 of 12 lesions (ball) are uncertain; check them: number 1, 2, 3,")
    assert flag.text.endswith("9, 10 and 2 more")
    assert flag.values == {"uncertain": 12, "found": 12, "label": "ball", "numbers": list(range(1, 13))}


def test_each_class_has_its_own_doubt_by_number_or_by_name():
    card = replace(TRAINED, labels=("tumour", "cyst"))
    for first, second in ((1, 2), ("tumour", "cyst")):
        rows = [
            component(1, 0.9, first),
            component(1, 0.1, second),
            component(2, 0.9, second),
            component(3, 0.9, second),
        ]
        assert flags(card, components=rows) == [
            "1 of 1 lesion (tumour) is uncertain; check it: number 1",
            "2 of 3 lesions (cyst) are uncertain; check them: number 2 and 3",
        ]


def test_doubt_is_judged_by_the_digits_of_the_table():
    assert flags(components=[component(1, 0.60049)]) == []
    assert flags(components=[component(1, 0.6006)]) != []


def test_a_warning_of_the_scan_keeps_its_kind_and_values():
    odd = {"tilt_deg": 12.5, "view": "coronal"}
    [tilt, view] = flags_of(**odd, warnings=warnings_of(odd))
    assert (tilt.kind, tilt.values) == ("tilt_deg", {"value": 12.5})
    assert (view.kind, view.values) == ("not_axial", {"view": "coronal"})
    assert [flag.kind for flag in flags_of(warnings=["told by an earlier version"])] == ["scan"]
