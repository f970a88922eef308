import numpy as np
import pandas as pd
import pytest

from ctseg.evaluation.intervals import mean_interval
from ctseg.evaluation.strata import COLUMNS, strata

CASES = pd.DataFrame({"case": list("abcd"), "split": "test", "label": "nodule", "dice": [0.9, 0.8, 0.5, np.nan]})
LESIONS = pd.DataFrame(
    {"case": list("aabcc"), "state": ["found", "missed", "found", "found", "false"], "split": "test", "label": "nodule"}
)
COHORT = pd.DataFrame({"case": list("abcd"), "patient": [0, 1, 2, 3]}).assign(
    manufacturer=["SIEMENS", "SIEMENS", "Philips", "Philips"], kernel=None, contrast=None
)


def test_each_vendor_has_its_own_figures():
    found = strata(CASES, LESIONS, COHORT).set_index("value")
    assert list(found.index) == ["Philips", "Siemens"]
    assert found["stratum"].tolist() == ["vendor", "vendor"]
    siemens, philips = found.loc["Siemens"], found.loc["Philips"]
    assert siemens["dice"] == pytest.approx(0.85)
    assert (siemens["dice_low"], siemens["dice_high"]) == pytest.approx(
        mean_interval(np.array([0.9, 0.8]), np.arange(2), (0, 1))
    )
    assert (siemens["lesions"], siemens["found"], siemens["false"]) == (3, 2, 0)
    assert (philips["cases"], philips["patients"], philips["false"]) == (2, 2, 1)
    assert philips["dice"] == 0.5
    assert np.isnan(philips["dice_low"])


def test_without_any_statement_the_table_is_empty():
    bare = COHORT.assign(manufacturer=None)
    assert strata(CASES, LESIONS, bare).columns.tolist() == COLUMNS
    assert strata(CASES, LESIONS, bare).empty
