import pytest

from ctseg.inference.model_card import InferSettings
from ctseg.tuning.inference_variants import MIDDLE, REFERENCE, WINDOWINGS, Variant, choose, summary, variants

AUTO = {"window": "auto", "overlap": "auto", "precision": "auto", "mirror_axes": []}


def row(variant, computed, seconds, dice, case="a"):
    return {"case": case, **variant.key, "computed_voxels": computed, "seconds": seconds, "dice": dice}


def table(dice_of, seconds_of=lambda variant: 1.0):
    """Summary table of all variants, in which each variant computes one voxel less than the one before."""
    tried = variants("openvino", ["onnxruntime"], ["int8"], "xy")
    return summary([row(each, 10_000_000 - n, seconds_of(each), dice_of(each)) for n, each in enumerate(tried)])


def values(decisions):
    return {name: decision["value"] for name, decision in decisions.items()}


def test_the_first_variant_is_what_others_do_and_no_two_are_the_same():
    tried = variants("openvino", ["onnxruntime"], ["int8", "bfloat16"], "z")
    assert tried[0] == Variant("openvino", REFERENCE)
    assert len(set(tried)) == len(tried)
    assert {each.engine for each in tried} == {"openvino", "onnxruntime"}
    assert InferSettings("large", 0.25, mirror_axes="z") in [each.settings for each in tried]
    assert not [each for each in variants("torch", [], [], "") if each.settings.mirror_axes]


def test_an_overlap_that_is_given_is_tried():
    settings = [each.settings for each in variants("torch", [], [], "", 0.33)]
    assert {InferSettings("patch", 0.33), InferSettings("large", 0.33)} < set(settings)
    assert variants("torch", [], [], "", 0.25) == variants("torch", [], [], "")


def test_the_summary_averages_over_cases():
    first = Variant("openvino", REFERENCE)
    (found,) = summary([row(first, 2e6, 1.0, 0.5), row(first, 4e6, 3.0, 0.7, "b")])
    assert found["cases"] == 2
    assert (found["computed_mvoxels"], found["seconds"], found["dice"]) == (3, 2, pytest.approx(0.6))


def test_the_cheapest_windowing_that_is_as_good_is_taken():
    made = choose(table(lambda each: 0.8), AUTO)
    assert values(made) == {"window": "large", "overlap": 0.125, "precision": "float32", "mirror_axes": ""}
    assert "mean Dice 0.8000 instead of 0.8000 on 1 cases" in made["window"]["reason"]


def test_a_windowing_that_loses_dice_is_not_taken():
    large_loses = table(lambda each: 0.8 - 0.0011 * (each.settings.window == "large"))
    assert values(choose(large_loses, AUTO))["window"] == "patch"
    assert values(choose(large_loses, AUTO))["overlap"] == 0.25
    assert values(choose(table(lambda each: 0.8 * (each.settings == REFERENCE)), AUTO))["overlap"] == 0.5
    close = table(lambda each: 0.8 - 0.0009 * (each.settings.window == "large"))
    assert values(choose(close, AUTO))["window"] == "large"


def test_without_any_target_nothing_is_better_than_what_others_do():
    made = choose(table(lambda each: float("nan")), AUTO)
    assert values(made)["window"] == "patch"
    assert values(made)["overlap"] == 0.5
    assert "no Dice to compare" in made["window"]["reason"]


def test_what_is_given_stays():
    given = {"window": "patch", "overlap": "auto", "precision": "int8", "mirror_axes": ["x", "z"]}
    made = choose(table(lambda each: 0.8), given)
    assert values(made) == {"window": "patch", "overlap": 0.25, "precision": "int8", "mirror_axes": "xz"}
    assert made["precision"]["reason"] == "given in the config"
    odd = choose(table(lambda each: 0.8), AUTO | {"overlap": 0.33})
    assert values(odd)["overlap"] == 0.33


def test_a_lower_precision_has_to_be_faster_and_as_good():
    def seconds(int8):
        return lambda each: int8 if each.settings.precision == "int8" else 1.0

    def dice(loss):
        return lambda each: 0.8 - loss * (each.settings.precision == "int8")

    assert values(choose(table(dice(0.0019), seconds(0.5)), AUTO))["precision"] == "int8"
    assert values(choose(table(dice(0.0021), seconds(0.5)), AUTO))["precision"] == "float32"
    assert values(choose(table(dice(0.0), seconds(0.95)), AUTO))["precision"] == "float32"


def test_without_a_comparison_auto_is_the_reference():
    made = choose([], AUTO)
    assert values(made) == {"window": "patch", "overlap": 0.5, "precision": "float32", "mirror_axes": ""}
    assert "not compared" in made["window"]["reason"]
    assert values(choose([], AUTO | {"window": "large", "overlap": 0.1}))["window"] == "large"


def test_engines_and_precisions_are_compared_at_one_of_the_windowings():
    assert MIDDLE in WINDOWINGS
