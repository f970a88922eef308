"""How a scan was acquired, in few fixed words: what a header says freely might name somebody, and is too varied."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

UNKNOWN, OTHER = "not stated", "other"
# What a manufacturer's name contains, in small letters, and what it is called.
VENDORS = {
    "siemens": "Siemens",
    "ge medical": "GE",
    "ge healthcare": "GE",
    "general electric": "GE",
    "philips": "Philips",
    "toshiba": "Canon",
    "canon": "Canon",
    "hitachi": "Fujifilm",
    "fujifilm": "Fujifilm",
    "united imaging": "United Imaging",
    "uih": "United Imaging",
    "neusoft": "Neusoft",
    "samsung": "Samsung",
}
SOFT, SHARP = "soft", "sharp"
# Kernels by a word of their name (GE, Philips); those with a number become sharper with it.
WORDS = dict.fromkeys(["standard", "soft", "detail", "chest", "a", "b", "c"], SOFT)
WORDS |= dict.fromkeys(["lung", "bone", "boneplus", "edge", "ultra", "d", "e", "l", "ya", "yb", "yc", "yd"], SHARP)
NUMBERED = {r"fc(\d\d)": 30, r"[a-z]{1,3}(\d\d)[a-z]?": 50}  # Canon; Siemens


def vendor(manufacturer: Any) -> str:
    """The vendor of a scanner by the name that the header gives."""
    text = _plain(manufacturer)
    return next((name for part, name in VENDORS.items() if part in text), OTHER if text else UNKNOWN)


def sharpness(kernel: Any) -> str:
    """Whether a kernel is soft or sharp, by its usual names at the large vendors."""
    text = _plain(kernel)
    first = re.split(r"[\s\\/_,]+", text)[0]
    for pattern, sharp_from in NUMBERED.items():
        if match := re.fullmatch(pattern, first):
            return SHARP if int(match[1]) >= sharp_from else SOFT
    return WORDS.get(first, OTHER if text else UNKNOWN)


def contrast(stated: Any) -> str:
    """Whether a contrast agent was given, as the header states it."""
    return {"yes": "with", "no": "without"}.get(_plain(stated), UNKNOWN)


def acquisition_groups(cohort: pd.DataFrame) -> Mapping[str, Mapping[str, str]]:
    """Vendor, kernel and contrast of each case of the cohort's table: {"vendor": {case: vendor}}.

    What no scan states is left out.
    """
    kinds = {"vendor": ("manufacturer", vendor), "kernel": ("kernel", sharpness), "contrast": ("contrast", contrast)}
    groups = {
        kind: dict(zip(cohort["case"], cohort[column].map(called), strict=True))
        for kind, (column, called) in kinds.items()
    }
    return {kind: cases for kind, cases in groups.items() if set(cases.values()) - {UNKNOWN}}


def _plain(value: Any) -> str:
    """A header's text in small letters; empty for what is missing."""
    return "" if value is None or value != value else str(value).strip().lower()
