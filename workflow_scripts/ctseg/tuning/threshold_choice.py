"""Threshold and postprocessing by the scores of all cases outside of training; values given in the config are kept."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ctseg.decisions import Stored, decided
from ctseg.tuning.thresholds import choose, postprocessing, trials


def tuned(wanted: Mapping[str, Any], plan: Stored, scores: Iterable[str | Path] = ()) -> tuple[Stored, pd.DataFrame]:
    """Choice with the reason of each value, and a table of all trials with their mean Dice, the best first.

    `wanted` is the section `postprocess` of the config, `scores` are paths of tables of `thresholds.scores`, one per
    case. Without scores the first trial is chosen, and the Dice is NaN.
    """
    tried = trials(dict(wanted), decided(plan, "smallest_component_mm3"))
    chosen, dice, n_cases = tried[0], None, 0
    summary = pd.DataFrame(map(vars, tried)).assign(dice=float("nan"))
    tables = [pd.read_csv(path, sep="\t", dtype={"case": str}) for path in scores]
    if tables:
        table = pd.concat(tables)
        chosen, summary["dice"] = choose(table.to_dict("records"), tried)
        dice, n_cases = float(summary["dice"][tried.index(chosen)]), table.loc[table["dice"].notna(), "case"].nunique()
    made = postprocessing(dict(wanted), decided(plan, "region"), chosen, dice, n_cases)
    return made, summary.sort_values("dice", ascending=False, kind="stable")
