"""Number formats for tables and sentences, with enough digits that a small value does not appear as 0."""

import math
from functools import partial

SIGNIFICANT = 3


def digits(value: float, decimals: int) -> str:
    """A number with `decimals` decimals, or more if fewer than `SIGNIFICANT` digits of it would remain."""
    if value and math.isfinite(value):
        decimals = max(decimals, SIGNIFICANT - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def rounded(value: float, decimals: int) -> float:
    """The number rounded as in `digits`."""
    return float(digits(value, decimals))


four_decimals = partial(digits, decimals=4)
two_decimals = partial(digits, decimals=2)
