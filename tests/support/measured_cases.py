"""Metrics table of simulated cases."""

import pandas as pd
import pytest

NAN = float("nan")


@pytest.fixture
def cases():
    """Metrics of six cases: three found, one missed, one false alarm and one without target and prediction."""
    dice = {"a": 0.9, "b": 0.0, "c": 0.5, "d": NAN, "e": 0.0, "f": 0.7}
    states = {"b": "missed", "d": "both_empty", "e": "false_alarm"}
    rows = [
        {
            "case": case,
            "split": "val" if case == "f" else "test",
            "fold": "",
            "label": "nodule",
            "state": states.get(case, "both"),
            "dice": value,
            "surface_dice_2mm": value,
            "hd95_mm": 3.0,
            "false_lesions": 1.0,
            "found_lesions": 2.0,
            "reference_lesions": 3.0,
        }
        for case, value in dice.items()
    ]
    return pd.DataFrame(rows)
