"""Threshold and postprocessing from the scores of all cases that were not trained on; what the config gives, stays."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ctseg.decisions import Stored, decided
from ctseg.tuning.thresholds import choose, postprocessing, trials


def tuned(wanted: Mapping[str, Any], plan: Stored, scores: Iterable[str | Path] = ()) -> tuple[Stored, pd.DataFrame]:
    """The choice with the reason of each value, and all that was tried with its mean Dice, the best first.

    `wanted` is the section `postprocess` of the config, `scores` are tables of `thresholds.scores`, one a case. Without
    any the most ordinary trial is taken, and no Dice is known.
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
