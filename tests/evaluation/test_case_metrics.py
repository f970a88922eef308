import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from ctseg.evaluation.case_metrics import COLUMNS, case_metrics, columns, overlap_metrics
from ctseg.evaluation.summary import TEXT, best_threshold, note, read_tables, summarise
from ctseg.geometry.volume import Grid

SHAPE = (3, 4, 5)
masks = arrays(np.bool_, SHAPE)
EMPTY = np.zeros((10, 10, 10), bool)


def box(*slices):
    mask = EMPTY.copy()
    mask[slices] = True
    return mask


def ball(radius, centre, size=48):
    distance = np.linalg.norm(np.indices((size,) * 3) - np.array(centre).reshape(3, 1, 1, 1), axis=0)
    return distance <= radius


def test_boxes_that_overlap_by_half_have_known_scores():
    # 400 and 400 voxels of 2 mm³ that share 200.
    found = overlap_metrics(box(slice(0, 4)), box(slice(2, 6)), voxel_volume_mm3=2.0)
    assert found["state"] == "both"
    assert (found["dice"], found["precision"], found["recall"]) == (0.5, 0.5, 0.5)
    assert found["iou"] == pytest.approx(1 / 3)
    assert (found["reference_volume_cm3"], found["predicted_volume_cm3"], found["volume_error_cm3"]) == (0.8, 0.8, 0)


def test_a_prediction_that_is_too_small_has_a_negative_error():
    found = overlap_metrics(box(slice(0, 4)), box(slice(0, 3)), voxel_volume_mm3=1.0)
    assert (found["precision"], found["recall"]) == (1, 0.75)
    assert found["dice"] == pytest.approx(6 / 7)
    assert found["volume_error_cm3"] == pytest.approx(-0.1)
    assert found["absolute_volume_error_cm3"] == pytest.approx(0.1)
    assert found["volume_error_percent"] == pytest.approx(-25)


def test_two_balls_overlap_by_the_volume_of_their_lens():
    radius, apart = 18, 12
    found = overlap_metrics(ball(radius, (24, 24, 18)), ball(radius, (24, 24, 18 + apart)), 1.0)
    lens = np.pi / 12 * (4 * radius + apart) * (2 * radius - apart) ** 2
    assert found["dice"] == pytest.approx(lens / (4 / 3 * np.pi * radius**3), abs=0.01)


@pytest.mark.parametrize(
    ("reference", "prediction", "state", "dice"),
    [
        (box(0), EMPTY, "missed", 0.0),
        (EMPTY, box(0), "false_alarm", 0.0),
        (EMPTY, EMPTY, "both_empty", np.nan),
        (box(0), box(1), "both", 0.0),
    ],
)
def test_empty_masks_have_a_state_and_the_score_it_deserves(reference, prediction, state, dice):
    found = overlap_metrics(reference, prediction, 1.0)
    assert found["state"] == state
    assert found["dice"] == pytest.approx(dice, nan_ok=True)
    assert found["iou"] == pytest.approx(dice, nan_ok=True)
    assert np.isnan(found["volume_error_percent"]) == (not reference.any())
    assert np.isnan(found["precision"]) == (not prediction.any())
    assert np.isnan(found["recall"]) == (not reference.any())


@given(masks, masks)
@settings(max_examples=80, deadline=None)
def test_the_laws_of_overlap_hold(reference, prediction):
    found, swapped = overlap_metrics(reference, prediction, 3.0), overlap_metrics(prediction, reference, 3.0)
    assert found["dice"] == pytest.approx(swapped["dice"], nan_ok=True)
    assert found["precision"] == pytest.approx(swapped["recall"], nan_ok=True)
    assert found["volume_error_cm3"] == -swapped["volume_error_cm3"]
    assert found["iou"] == pytest.approx(found["dice"] / (2 - found["dice"]), nan_ok=True)
    assert set(COLUMNS) < set(found)
    if found["state"] == "both":
        assert 0 <= found["iou"] <= found["dice"] <= 1


@given(masks)
@settings(max_examples=20, deadline=None)
def test_a_mask_agrees_with_itself(mask):
    found = overlap_metrics(mask, mask, 1.0)
    assert found["dice"] == pytest.approx(1.0 if mask.any() else np.nan, nan_ok=True)
    assert found["volume_error_cm3"] == 0


def test_masks_of_different_shape_are_refused():
    with pytest.raises(ValueError, match="different shape"):
        overlap_metrics(np.zeros((2, 2, 2), bool), np.zeros((2, 2, 3), bool), 1.0)


def cases(dices, states=None, split="test", label="nodule"):
    states = states or ["both"] * len(dices)
    rows = {"case": [f"case{n}" for n in range(len(dices))], "split": split, "label": label, "state": states}
    return pd.DataFrame({**rows, **dict.fromkeys(COLUMNS, dices)})


def baseline(dices_by_threshold, split="test", label="nodule"):
    rows = [(split, label, t, d) for t, dices in dices_by_threshold.items() for d in dices]
    return pd.DataFrame(rows, columns=["split", "label", "threshold_hu", "dice"])


def test_the_summary_has_the_statistics_of_each_split_and_label():
    table = pd.concat([cases([0.2, 0.4, 0.6, 0.8]), cases([0.5, 0.7], label="tumour"), cases([0.1], split="val")])
    summary = summarise(table)
    assert len(summary) == 3 * len(set(table) - set(TEXT))
    row = summary.query("split == 'test' and label == 'nodule' and metric == 'dice'").iloc[0]
    assert (row["n"], row["n_cases"]) == (4, 4)
    expected = {"mean": 0.5, "median": 0.5, "q25": 0.35, "q75": 0.65, "min": 0.2, "max": 0.8}
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    assert row["sd"] == pytest.approx(np.std([0.2, 0.4, 0.6, 0.8], ddof=1))


def test_undefined_scores_are_counted_and_left_out_of_the_mean():
    table = cases([0.6, 0.0, 0.0, np.nan], ["both", "missed", "false_alarm", "both_empty"])
    row = summarise(table).query("metric == 'dice'").iloc[0]
    assert (row["n"], row["n_cases"]) == (3, 4)
    assert (row["n_missed"], row["n_false_alarm"], row["n_both_empty"]) == (1, 1, 1)
    assert row["mean"] == pytest.approx(0.2)


def test_the_best_threshold_is_that_of_the_highest_mean():
    best = best_threshold(baseline({-500: [0.9, 0.1], -300: [0.6, 0.6], 0: [np.nan, np.nan]}))
    assert (best.loc[0, "threshold_hu"], best.loc[0, "dice"]) == (-300, pytest.approx(0.6))


def test_the_note_sets_the_scores_beside_the_best_threshold():
    text = note(summarise(cases([0.4, 0.8])), baseline({-500: [0.1, 0.1], -300: [0.3, 0.2]}))
    assert "test, nodule: Dice 0.600 ± 0.283 (95 % interval of the mean 0.000 to 1.000, median 0.600, 2 of 2" in text
    assert "above -300 HU" in text
    assert "Dice 0.250" in text
    assert "flatters" in text


def test_the_note_needs_no_baseline_and_no_score(tmp_path):
    (tmp_path / "baseline.tsv").write_text("case\tsplit\tfold\tlabel\tthreshold_hu\tdice\n")
    switched_off = read_tables([tmp_path / "baseline.tsv"] * 2)
    text = note(summarise(cases([np.nan], ["both_empty"])), switched_off)
    assert "0 of 1 cases" in text
    assert "threshold" not in text


def test_tables_are_read_in_order_and_keep_the_names_of_cases(tmp_path):
    for name in ("007", "003"):
        text = f"case\tsplit\tfold\tlabel\tstate\tdice\n{name}\ttest\t\tnodule\tboth_empty\tnan\n"
        (tmp_path / f"{name}.tsv").write_text(text)
    table = read_tables([tmp_path / "007.tsv", tmp_path / "003.tsv"])
    assert table["case"].tolist() == ["007", "003"]
    assert table["dice"].isna().all()


def test_all_metrics_of_a_case_have_a_column_and_agree_with_each_other():
    reference, prediction = box(slice(0, 4)), box(slice(2, 6))
    grid = Grid(reference.shape, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    found = case_metrics(reference, prediction, grid, [0.5, 10], 0.1)
    assert set(columns([0.5, 10])) == set(found) - {"state"}
    assert found["dice"] == overlap_metrics(reference, prediction, 2.0)["dice"]
    assert found["surface_dice_0.5mm"] < found["surface_dice_10mm"] == 1
    assert found["assd_mm"] <= found["hd95_mm"]
    assert (found["reference_lesions"], found["found_lesions"]) == (1, 1)
