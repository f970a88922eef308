"""Numbers in tables and sentences."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctseg.digits import SIGNIFICANT, digits, rounded


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (12.345, 2, "12.35"),
        (0.5, 2, "0.500"),
        (0.000027, 4, "0.0000270"),
        (0.0004096, 4, "0.000410"),
        (-0.00012, 2, "-0.000120"),
        (0.0, 4, "0.0000"),
        (1234.56, 0, "1235"),
        (math.nan, 2, "nan"),
        (math.inf, 2, "inf"),
    ],
)
def test_nothing_small_looks_like_nothing(value, decimals, text):
    assert digits(value, decimals) == text


@given(st.floats(1e-9, 1e9), st.integers(0, 6))
def test_what_is_told_is_near_and_has_the_decimals(value, decimals):
    text = digits(value, decimals)
    exact = 0.5 * 10 ** -len(text.partition(".")[2])
    assert abs(rounded(value, decimals) - value) <= 1.0001 * exact + math.ulp(value)
    assert abs(float(text) - value) <= 0.6 * 10 ** (1 - SIGNIFICANT) * value
    assert len(text.partition(".")[2]) >= decimals
