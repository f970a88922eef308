import pytest

from ctseg.training.history import History
from training_data import after


def test_the_best_is_a_single_value_and_patience_counts_on_the_smoothed_one():
    history = after(0.2, 0.6, 0.1, 0.7, 0.3)
    assert [row.best for row in history.rows] == [True, True, False, True, False]
    assert [row.smoothed_dice for row in history.rows] == pytest.approx([0.2, 0.4, 0.25, 0.475, 0.3875])
    assert history.best_dice == 0.7
    assert not history.out_of_patience(2)
    assert history.out_of_patience(1)


def test_one_bad_value_in_a_rise_costs_no_patience():
    assert not after(0.1, 0.3, 0.5, 0.45, 0.6).out_of_patience(1)
    assert after(0.5, 0.4, 0.3).out_of_patience(2)
    assert not after().out_of_patience(1)


def test_nothing_found_is_noticed_when_patience_has_run_out():
    assert after(0, 0, 0).learns_nothing(3)
    assert not after(0, 0).learns_nothing(3)
    assert not after(0, 0.01, 0).learns_nothing(3)
    assert after(0).found_nothing
    assert not after().found_nothing


def test_a_network_overfits_that_knows_its_training_cases_much_better():
    assert after(0.2, 0.6, 0.5).overfit.validation_dice == 0.6  # training Dice is 0.9
    assert after(0.2, 0.75).overfit is None
    assert after().overfit is None


def test_it_goes_on_from_its_plain_rows_and_is_written_as_a_table(tmp_path):
    history = after(0.2, 0.6)
    assert History(history.plain()).rows == history.rows
    history.write(tmp_path / "history.tsv")
    lines = (tmp_path / "history.tsv").read_text().splitlines()
    assert lines[0].split("\t") == [
        "step",
        "loss",
        "learning_rate",
        "validation_dice",
        "smoothed_dice",
        "best",
        "training_dice",
    ]
    assert lines[2].split("\t") == ["2", "0.500000", "0.01", "0.600000", "0.400000", "true", "0.900000"]
