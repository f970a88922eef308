"""Numbers in tables and sentences: enough digits that nothing small looks like nothing."""

import math
from functools import partial

SIGNIFICANT = 3


def digits(value: float, decimals: int) -> str:
    """A number with so many decimals, and with more where fewer than `SIGNIFICANT` digits would be left of it."""
    if value and math.isfinite(value):
        decimals = max(decimals, SIGNIFICANT - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def rounded(value: float, decimals: int) -> float:
    """The number that `digits` tells."""
    return float(digits(value, decimals))


four_decimals = partial(digits, decimals=4)
two_decimals = partial(digits, decimals=2)
