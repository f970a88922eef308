"""Vendor, kernel and contrast of a scan in fixed words; free text of a header is too varied and might name a person."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

UNKNOWN, OTHER = "not stated", "other"
# Names of vendors by a part of the header's manufacturer, in small letters.
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
# Kernels by a word anywhere in their name (United Imaging, as B_SHARP_C).
PLAIN_WORDS = {"soft": SOFT, "smooth": SOFT, "sharp": SHARP, "vsharp": SHARP}
# Kernels by the first word of their name (GE, Philips); kernels with a number become sharper as it rises.
WORDS = dict.fromkeys(["standard", "soft", "detail", "chest", "a", "b", "c"], SOFT)
WORDS |= dict.fromkeys(["lung", "bone", "boneplus", "edge", "ultra", "d", "e", "l", "ya", "yb", "yc", "yd"], SHARP)
NUMBERED = {r"fc(\d\d)": 30, r"[a-z]{1,3}(\d\d)[a-z]?": 50}  # number from which on a kernel is sharp; Canon, Siemens


def vendor(manufacturer: Any) -> str:
    """Vendor of a scanner, from the manufacturer in the header; `OTHER` if not in `VENDORS`, `UNKNOWN` if missing."""
    text = _plain(manufacturer)
    return next((name for part, name in VENDORS.items() if part in text), OTHER if text else UNKNOWN)


def sharpness(kernel: Any) -> str:
    """`SOFT` or `SHARP`, by the usual kernel names of large vendors; `OTHER` for other names, `UNKNOWN` if missing."""
    text = _plain(kernel)
    first, *more = re.split(r"[\s\\/_,]+", text)
    for pattern, sharp_from in NUMBERED.items():
        if match := re.fullmatch(pattern, first):
            return SHARP if int(match[1]) >= sharp_from else SOFT
    plain = [PLAIN_WORDS[word] for word in (first, *more) if word in PLAIN_WORDS]
    return plain[0] if plain else WORDS.get(first, OTHER if text else UNKNOWN)


def contrast(stated: Any) -> str:
    """Use of a contrast agent as stated ("yes" or "no"): "with", "without", or `UNKNOWN`."""
    return {"yes": "with", "no": "without"}.get(_plain(stated), UNKNOWN)


def acquisition_groups(cohort: pd.DataFrame) -> Mapping[str, Mapping[str, str]]:
    """Vendor, kernel and contrast of each case of the cohort's table: {"vendor": {case: vendor}}.

    A property that no scan states is left out.
    """
    kinds = {"vendor": ("manufacturer", vendor), "kernel": ("kernel", sharpness), "contrast": ("contrast", contrast)}
    groups = {
        kind: dict(zip(cohort["case"], cohort[column].map(called), strict=True))
        for kind, (column, called) in kinds.items()
    }
    return {kind: cases for kind, cases in groups.items() if set(cases.values()) - {UNKNOWN}}


def _plain(value: Any) -> str:
    """Text of a header's value in small letters; empty for None and NaN."""
    return "" if value is None or value != value else str(value).strip().lower()
