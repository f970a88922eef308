"""Choice of windows, overlap and precision of inference by their cost and Dice on cases outside of training.

Windows and overlap are ranked by the number of voxels that the network computes, which is the same in every run; the
time is also measured and reported. A lower precision is ranked by time, since its speed depends only on the processor.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from ctseg.decisions import GIVEN, Decision, Stored, stored
from ctseg.inference.model_card import REFERENCE, InferSettings
from ctseg.masks.overlap import mean_dice

WINDOWING_LOSS = 0.001  # largest loss of mean Dice for a cheaper windowing
PRECISION_LOSS = 0.002  # largest loss of mean Dice for a lower precision
FASTER = 0.9  # largest share of float32's time for a lower precision; a smaller gain is noise
MIDDLE = InferSettings("large", 0.25)  # windowing at which engines, precisions and mirroring are compared
WINDOWINGS = (REFERENCE, InferSettings("patch", 0.25), *(InferSettings("large", part) for part in (0.5, 0.25, 0.125)))
COLUMNS = ["engine", "window", "overlap", "precision", "mirror_axes"]


@dataclass(frozen=True)
class Variant:
    """Name of an engine, and its settings of inference."""

    engine: str
    settings: InferSettings

    @property
    def key(self) -> dict[str, Any]:
        """The values of `COLUMNS`."""
        return {"engine": self.engine, **asdict(self.settings)}


def variants(
    engine: str, others: Sequence[str], precisions: Sequence[str], mirror_axes: str, overlap: float | str = "auto"
) -> list[Variant]:
    """Variants to compare: windowings, then other engines, lower precisions and mirroring at one windowing.

    The first variant is the reference. `precisions` are the available ones below float32; an `overlap` that is a number
    is also tried.
    """
    given = [] if isinstance(overlap, str) else [InferSettings(window, overlap) for window in ("patch", "large")]
    found = [Variant(engine, settings) for settings in dict.fromkeys([*WINDOWINGS, *given])]
    found += [Variant(other, MIDDLE) for other in others]
    found += [Variant(engine, InferSettings(MIDDLE.window, MIDDLE.overlap, precision)) for precision in precisions]
    if mirror_axes:
        found.append(Variant(engine, InferSettings(MIDDLE.window, MIDDLE.overlap, mirror_axes=mirror_axes)))
    return found


def summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per variant, in the order of the trials: mean computed voxels, seconds and Dice over the cases.

    The Dice is NaN if no case has one, since no target exists and none was found. `rows` have the keys of
    `COLUMNS`, `case`, `computed_voxels`, `seconds` and `dice`.
    """
    grouped: dict[tuple, list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(tuple(row[column] for column in COLUMNS), []).append(row)
    return [
        {
            **dict(zip(COLUMNS, key, strict=True)),
            "cases": len(found),
            "computed_mvoxels": mean(row["computed_voxels"] for row in found) / 1e6,
            "seconds": mean(row["seconds"] for row in found),
            "dice": mean_dice(row["dice"] for row in found),
        }
        for key, found in grouped.items()
    ]


def choose(table: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> Stored:
    """Window, overlap, precision and mirroring as {"value", "reason"}.

    `table` is a `summary`, empty if nothing was compared; `wanted` is the section `infer` of the config.
    """
    mirror = "".join(wanted["mirror_axes"])
    made = {"mirror_axes": Decision(mirror, GIVEN)}
    if not table:
        untried = "not compared: infer.compare_cases is 0"
        for name, default in (("window", REFERENCE.window), ("overlap", REFERENCE.overlap), ("precision", "float32")):
            made[name] = Decision(*((default, untried) if wanted[name] == "auto" else (wanted[name], GIVEN)))
        return stored(made)
    reference = table[0]
    plain = [row for row in table if _alike(row, reference, "engine", "precision", "mirror_axes")]
    fitting = [row for row in plain if all(wanted[name] in ("auto", row[name]) for name in ("window", "overlap"))]
    good = [row for row in fitting if row["dice"] >= reference["dice"] - WINDOWING_LOSS]
    best = min(good or [reference], key=lambda row: row["computed_mvoxels"])
    reason = f"no cheaper way comes close to its mean Dice of {best['dice']:.4f} on {best['cases']} cases"
    if math.isnan(reference["dice"]):
        reason = f"no Dice to compare: {best['cases']} cases have no target, and none was found"
    if best is not reference:
        reason = (
            f"{best['computed_mvoxels']:.3g} instead of {reference['computed_mvoxels']:.3g} million voxels to compute, "
            f"mean Dice {best['dice']:.4f} instead of {reference['dice']:.4f} on {reference['cases']} cases"
        )
    for name in ("window", "overlap"):
        given = wanted[name] != "auto"
        made[name] = Decision(wanted[name] if given else best[name], GIVEN if given else reason)
    made["precision"] = _precision(table, reference, wanted["precision"])
    return stored(made)


def _precision(table: Sequence[Mapping[str, Any]], reference: Mapping[str, Any], wanted: str) -> Decision:
    """The given precision; for `auto` the fastest lower one within `PRECISION_LOSS` and `FASTER`, else float32."""
    if wanted != "auto":
        return Decision(wanted, GIVEN)
    at_middle = [row for row in table if (row["window"], row["overlap"]) == (MIDDLE.window, MIDDLE.overlap)]
    rows = [row for row in at_middle if _alike(row, reference, "engine", "mirror_axes")]
    exact = next(row for row in rows if row["precision"] == "float32")
    good = [row for row in rows if row is not exact and row["dice"] >= exact["dice"] - PRECISION_LOSS]
    faster = [row for row in good if row["seconds"] <= FASTER * exact["seconds"]]
    if not faster:
        return Decision("float32", "no lower precision is faster and as good")
    best = min(faster, key=lambda row: row["seconds"])
    return Decision(
        best["precision"],
        f"{best['seconds']:.2f} instead of {exact['seconds']:.2f} s per scan, mean Dice {best['dice']:.4f} instead of "
        f"{exact['dice']:.4f} on {exact['cases']} cases",
    )


def _alike(row: Mapping[str, Any], other: Mapping[str, Any], *names: str) -> bool:
    return all(row[name] == other[name] for name in names)
