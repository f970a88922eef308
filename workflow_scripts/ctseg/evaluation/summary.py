"""Summaries of the metrics of all cases: tables, FROC and reliability curves, and a short text."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ctseg.evaluation.calibration import SUMS, calibration_metrics
from ctseg.evaluation.froc import COUNTS
from ctseg.evaluation.metric_intervals import metric_interval

KEYS = ["split", "label"]
TEXT = ["case", "split", "fold", "label", "state", "group", "metric"]  # even if a cell looks like a number or `NA`
# Stability under shifts of the network's grid: columns of `stability.stability`, and their names in the metrics.
STABILITY = {"smallest_dice": "stability_dice", "volume_range_percent": "stability_volume_percent"}
ALL = "all"  # the group of all cases


def read_tables(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Rows of all files as one table, in the order of the files; all files have the same columns.

    Columns in `TEXT` are read as text (a case may be called `001`), all others as numbers. If all files hold only a
    header, the table has no row but all columns.
    """
    rows = pd.concat(
        [pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False) for path in paths], ignore_index=True
    )
    # Empty cells, as spreadsheets write them, become NaN.
    numbers = {column: rows[column].replace("", "nan").astype(float) for column in rows if column not in TEXT}
    return rows.assign(**numbers) if len(rows) else rows.astype(dict.fromkeys(numbers, float))


def summarise(
    cases: pd.DataFrame,
    patients: Mapping[str, Any] | None = None,
    groups: Mapping[str, Mapping[str, str]] | None = None,
) -> pd.DataFrame:
    """Count, mean, median, standard deviation, quartiles and range of each metric, by split and label.

    `groups` are further columns of the cases, as {"site": {case: site}}: each site has rows of its own, with
    "site: name" in the column `group`; rows over all cases of a split have `all` there. `mean_low` and `mean_high` are
    the 95 % interval of the mean over patients (`metric_interval`). `patients` maps each case to its patient; without
    it each case is a patient. Statistics leave out undefined values. `n_cases` counts all cases, `n` the cases with a
    value, and the last columns count missed cases, false alarms, and cases that are empty on both sides.
    """
    rows = []
    metrics = [column for column in cases if column not in TEXT]
    for (split, label, name), group in _groups(cases, groups or {}):
        states = group["state"].value_counts()
        owners = group["case"].map(patients) if patients else group["case"]
        for metric in metrics:
            values = group[metric].dropna()
            low, high = metric_interval(metric, group, owners)
            rows.append(
                {
                    "split": split,
                    "label": label,
                    "group": name,
                    "metric": metric,
                    "n_cases": len(group),
                    "n": len(values),
                    "mean": values.mean(),
                    "mean_low": low,
                    "mean_high": high,
                    "median": values.median(),
                    "sd": values.std(),
                    "q25": values.quantile(0.25),
                    "q75": values.quantile(0.75),
                    "min": values.min(),
                    "max": values.max(),
                    "n_missed": states.get("missed", 0),
                    "n_false_alarm": states.get("false_alarm", 0),
                    "n_both_empty": states.get("both_empty", 0),
                }
            )
    return pd.DataFrame(rows)


def _groups(
    cases: pd.DataFrame, groups: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[tuple[str, str, str], pd.DataFrame]]:
    """Split, label, name of a group, and its cases: first all cases, then each value of each column of `groups`."""
    for (split, label), whole in cases.groupby(KEYS, sort=True):
        yield (split, label, ALL), whole
        for column, values in groups.items():
            for value, part in whole.groupby(whole["case"].map(values), sort=True):
                yield (split, label, f"{column}: {value}"), part


def froc_curve(counts: pd.DataFrame) -> pd.DataFrame:
    """Sensitivity over all lesions, and false lesions per scan, by split, label and threshold.

    `counts` are the rows of `probability_rows.froc_rows` of all cases. Sensitivity is NaN if no case has a lesion.
    """
    groups = counts.groupby([*KEYS, "threshold"], sort=True)
    sums, scans = groups[list(COUNTS)].sum(), groups["case"].nunique()
    curve = pd.DataFrame(
        {
            "scans": scans,
            **sums.astype(int),
            "sensitivity": sums["found_lesions"] / sums["reference_lesions"],
            "false_lesions_per_scan": sums["false_lesions"] / scans,
        }
    )
    return curve.reset_index()


def reliability_curve(sums: pd.DataFrame) -> pd.DataFrame:
    """Mean probability and share of target voxels in each bin of probability, by split and label, over all cases.

    `sums` are the rows of `probability_rows.reliability_rows` of all cases. Both values are NaN if a bin has no voxel.
    """
    found = sums.groupby([*KEYS, "bin"], sort=True)[list(SUMS)].sum()
    curve = found[["voxels", "positives"]].astype(int)
    curve["probability"] = found["sum_probability"] / found["voxels"]
    curve["frequency"] = found["positives"] / found["voxels"]
    return curve.reset_index()


def with_calibration(cases: pd.DataFrame, sums: pd.DataFrame) -> pd.DataFrame:
    """The table of cases with the columns of `calibration_metrics` added; `sums` as in `reliability_curve`."""
    groups = sums.groupby(["case", "label"])
    rows = [
        {"case": key[0], "label": key[1], **calibration_metrics(bins[list(SUMS)].to_numpy())} for key, bins in groups
    ]
    return cases.merge(pd.DataFrame(rows), how="left", on=["case", "label"])


def with_stability(cases: pd.DataFrame, moved: pd.DataFrame) -> pd.DataFrame:
    """The table of cases with the columns of `STABILITY` added; `moved` are rows of `stability.stability` with case."""
    return cases.merge(moved[["case", "label", *STABILITY]].rename(columns=STABILITY), how="left", on=["case", "label"])


def best_threshold(baseline: pd.DataFrame) -> pd.DataFrame:
    """For each split and label the threshold with the highest mean Dice: columns split, label, threshold_hu, dice."""
    means = baseline.groupby([*KEYS, "threshold_hu"], sort=True)["dice"].mean().dropna().reset_index()
    return means.loc[means.groupby(KEYS)["dice"].idxmax()].reset_index(drop=True)


def _dice_text(row: Any) -> str:
    """Mean Dice in words, with spread and interval if it has two values or more, up to an open bracket."""
    if row.n == 0:
        return "no Dice ("
    if row.n == 1:
        return f"Dice {row.mean:.3f} ("
    interval = f"95 % interval of the mean {row.mean_low:.3f} to {row.mean_high:.3f}, "
    return f"Dice {row.mean:.3f} ± {row.sd:.3f} ({interval}median {row.median:.3f}, "


def note(summary: pd.DataFrame, baseline: pd.DataFrame) -> str:
    """Text with the Dice of each split and label, and the Dice of the best single threshold."""
    lines = []
    best = best_threshold(baseline).set_index(KEYS)
    for row in summary[(summary["metric"] == "dice") & (summary["group"] == ALL)].itertuples():
        lines.append(
            f"{row.split}, {row.label}: {_dice_text(row)}{row.n} of {row.n_cases} cases; {row.n_missed} missed, "
            f"{row.n_false_alarm} false alarms, {row.n_both_empty} empty on both sides)"
        )
        if (row.split, row.label) in best.index:
            threshold_hu, dice = best.loc[(row.split, row.label)]
            lines.append(
                f"  the best single threshold, everything above {threshold_hu:g} HU in the region: Dice {dice:.3f} "
                "(chosen on these very cases, so this flatters it)"
            )
    lines.append("Cases without the target in which nothing was found have no Dice and are left out of its mean.")
    return "\n".join(lines) + "\n"


def member_table(histories: dict[str, pd.DataFrame], members: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """One row per network: fold, repeat, step and Dice of the kept validation, Dice of training cases, trained steps.

    The Dice of training cases is that at the kept validation. With several networks two rows follow, `mean` and `sd`
    (standard deviation of the sample) of the validation Dice.
    """
    rows = []
    for name, history in histories.items():
        kept = history[history["best"]].iloc[-1]
        fold, repeat = members[name]
        rows.append({"network": name, "fold": fold, "repeat": repeat + 1})
        rows[-1] |= {"step": int(kept["step"]), "validation_dice": float(kept["validation_dice"])}
        rows[-1] |= {"training_dice": float(kept["training_dice"]), "trained_steps": int(history["step"].iloc[-1])}
    table = pd.DataFrame(rows)
    if len(table) > 1:
        dice = table["validation_dice"]
        spread = pd.DataFrame({"network": ["mean", "sd"], "validation_dice": [dice.mean(), dice.std()]})
        table = pd.concat([table.astype(dict.fromkeys(["fold", "repeat", "step", "trained_steps"], "Int64")), spread])
    return table
