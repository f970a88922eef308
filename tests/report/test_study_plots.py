import pandas as pd

from ctseg.report.study_plots import plot_training

HISTORY = pd.DataFrame(
    {
        "step": [1, 2, 3],
        "loss": [1.0, 0.5, 0.4],
        "validation_dice": [0.0, 0.6, 0.5],
        "training_dice": [0.1, 0.7, 0.8],
        "best": [True, True, False],
    }
).assign(learning_rate=0.1)


def test_learning_curves_of_one_and_of_several_folds(tmp_path):
    plot_training({"0": HISTORY}, tmp_path / "one.svg")
    plot_training({"0": HISTORY, "1": HISTORY}, tmp_path / "two.svg")
    assert (tmp_path / "one.svg").read_bytes() != (tmp_path / "two.svg").read_bytes()
