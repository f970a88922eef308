"""Numbers on the command line, checked while it is read: one that cannot be meant ends the command with a sentence."""

import math
from argparse import ArgumentTypeError
from collections.abc import Callable


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers from `low` to `high`, as the `type` of an argument of argparse."""

    def read(text: str) -> int:
        value = _read(int, text)
        if not low <= value <= high:  # false for NaN, too
            raise ArgumentTypeError(f"{text} should be a whole number from {low} to {high}")
        return int(value)

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """A reader of numbers from `low` to `high`, as the `type` of an argument of argparse."""

    def read(text: str) -> float:
        value = _read(float, text)
        if not low <= value <= high:
            raise ArgumentTypeError(f"{text} should be a number from {low:g} to {high:g}")
        return value

    return read


def finite_number(text: str) -> float:
    """The number in a text. Raises ArgumentTypeError for other texts, infinity and NaN."""
    value = _read(float, text)
    if not math.isfinite(value):
        raise ArgumentTypeError(f"{text} should be a number")
    return value


def _read(kind: Callable[[str], float], text: str) -> float:
    """The number of a kind in a text; NaN for a text that holds none."""
    try:
        return kind(text)
    except ValueError:
        return math.nan
