import numpy as np
import pandas as pd
import pytest

from ctseg.evaluation.acquisition import acquisition_groups, contrast, sharpness, vendor


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SIEMENS", "Siemens"),
        ("Siemens Healthineers", "Siemens"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ("Philips Medical Systems", "Philips"),
        ("TOSHIBA_MEC", "Canon"),
        ("Canon Medical Systems", "Canon"),
        ("UIH", "United Imaging"),
        ("Müller^Hans", "other"),
        (None, "not stated"),
        (np.nan, "not stated"),
    ],
)
def test_vendors_have_one_name_and_others_none(text, name):
    assert vendor(text) == name


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("B30f", "soft"),
        ("B70f", "sharp"),
        ("Br40d 3", "soft"),
        ("Bl57f", "sharp"),
        ("I31f 2", "soft"),
        ("STANDARD", "soft"),
        ("LUNG", "sharp"),
        ("BONEPLUS", "sharp"),
        ("FC08", "soft"),
        ("FC51", "sharp"),
        ("B", "soft"),
        ("L", "sharp"),
        ("B_SOFT_B", "soft"),
        ("B_VSHARP_C", "sharp"),
        ("CHEST_SHARP", "sharp"),
        ("Müller^Hans", "other"),
        ("", "not stated"),
    ],
)
def test_kernels_are_soft_or_sharp(kernel, kind):
    assert sharpness(kernel) == kind


def test_what_no_scan_states_is_no_group():
    cohort = pd.DataFrame(
        {"case": ["a", "b"], "manufacturer": ["SIEMENS", None], "kernel": [None, None], "contrast": ["yes", "no"]}
    )
    found = acquisition_groups(cohort)
    assert found == {
        "vendor": {"a": "Siemens", "b": "not stated"},
        "contrast": {"a": "with", "b": "without"},
    }
    assert contrast(None) == "not stated"
