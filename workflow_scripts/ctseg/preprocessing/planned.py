"""Preparation of scans by the decisions of the plan."""

from ctseg.decisions import Stored, decided
from ctseg.preprocessing.preparation import Preparation


def preparation_of(decisions: Stored, margin_mm: float) -> Preparation:
    """The preparation that the plan decided on; `margin_mm` is the config's `plan.margin_mm`."""
    spacing_mm, window_hu, region = (decided(decisions, name) for name in ("spacing_mm", "window_hu", "region"))
    return Preparation(tuple(spacing_mm), tuple(window_hu), region, margin_mm)
