"""The metrics of all cases in one table, its summary, and a few sentences about them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ctseg.evaluation.calibration import SUMS, calibration_metrics
from ctseg.evaluation.froc import COUNTS
from ctseg.evaluation.metric_intervals import metric_interval

KEYS = ["split", "label"]
TEXT = ["case", "split", "fold", "label", "state", "group", "metric"]  # even where it looks like a number, or like `NA`
# How far a segmentation moves when the network's grid does: columns of `stability.stability`, and of the metrics.
STABILITY = {"smallest_dice": "stability_dice", "volume_range_percent": "stability_volume_percent"}
ALL = "all"  # the group of all cases


def read_tables(paths: Iterable[str | Path]) -> pd.DataFrame:
    """The rows of all files, which have the same columns, in the order of the files.

    The columns in `TEXT` stay as they are written (a case may be called `001`), all others are numbers. Without any
    row, as from files that hold only their header, all columns are there.
    """
    rows = pd.concat(
        [pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False) for path in paths], ignore_index=True
    )
    # Empty cells, as spreadsheets write them, are no numbers either.
    numbers = {column: rows[column].replace("", "nan").astype(float) for column in rows if column not in TEXT}
    return rows.assign(**numbers) if len(rows) else rows.astype(dict.fromkeys(numbers, float))


def summarise(
    cases: pd.DataFrame,
    patients: Mapping[str, Any] | None = None,
    groups: Mapping[str, Mapping[str, str]] | None = None,
) -> pd.DataFrame:
    """Count, mean, median, standard deviation, quartiles and range of each metric, by split and label.

    `groups` are further columns of the cases, as {"site": {case: site}}: for each site follow rows of their own, whose
    column `group` says so; it is `all` where every case of the split counts. `mean_low` and `mean_high` are the 95 %
    interval of the mean over patients (`metric_interval`); `patients` names that of each case, where a patient may have
    several. Undefined values are left out of them; `n_cases` counts all cases, `n` those with a value, and the last
    columns how many were missed, false alarms, or empty on both sides.
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
    """Split, label, group, and the cases in it: all of them first, then by each column of `groups`."""
    for (split, label), whole in cases.groupby(KEYS, sort=True):
        yield (split, label, ALL), whole
        for column, values in groups.items():
            for value, part in whole.groupby(whole["case"].map(values), sort=True):
                yield (split, label, f"{column}: {value}"), part


def froc_curve(counts: pd.DataFrame) -> pd.DataFrame:
    """Sensitivity over all lesions, and false lesions a scan, by split, label and threshold.

    `counts` are the rows of `froc.lesion_counts` of all cases. Sensitivity is NaN where no case has a lesion.
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

    `sums` are the rows of `calibration.reliability`. NaN where a bin has no voxel.
    """
    found = sums.groupby([*KEYS, "bin"], sort=True)[list(SUMS)].sum()
    curve = found[["voxels", "positives"]].astype(int)
    curve["probability"] = found["sum_probability"] / found["voxels"]
    curve["frequency"] = found["positives"] / found["voxels"]
    return curve.reset_index()


def with_calibration(cases: pd.DataFrame, sums: pd.DataFrame) -> pd.DataFrame:
    """The cases with the columns of `calibration_metrics`."""
    groups = sums.groupby(["case", "label"])
    rows = [
        {"case": key[0], "label": key[1], **calibration_metrics(bins[list(SUMS)].to_numpy())} for key, bins in groups
    ]
    return cases.merge(pd.DataFrame(rows), how="left", on=["case", "label"])


def with_stability(cases: pd.DataFrame, moved: pd.DataFrame) -> pd.DataFrame:
    """The cases with the columns of `STABILITY`; `moved` are the rows of `stability.stability` with their case."""
    return cases.merge(moved[["case", "label", *STABILITY]].rename(columns=STABILITY), how="left", on=["case", "label"])


def best_threshold(baseline: pd.DataFrame) -> pd.DataFrame:
    """For each split and label the threshold with the highest mean Dice: columns split, label, threshold_hu, dice."""
    means = baseline.groupby([*KEYS, "threshold_hu"], sort=True)["dice"].mean().dropna().reset_index()
    return means.loc[means.groupby(KEYS)["dice"].idxmax()].reset_index(drop=True)


def _dice_text(row: Any) -> str:
    """The mean with its spread, as far as there are enough values, up to an open bracket."""
    if row.n == 0:
        return "no Dice ("
    if row.n == 1:
        return f"Dice {row.mean:.3f} ("
    interval = f"95 % interval of the mean {row.mean_low:.3f} to {row.mean_high:.3f}, "
    return f"Dice {row.mean:.3f} ± {row.sd:.3f} ({interval}median {row.median:.3f}, "


def note(summary: pd.DataFrame, baseline: pd.DataFrame) -> str:
    """The Dice of each split and label in words, beside what the best single threshold reaches."""
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
    """One row a network: its fold and repeat, step and Dice of the validation whose weights were kept, the Dice of
    training cases by then, and for how many steps it was trained.

    Two rows follow where there are several networks, `mean` and `sd`, the sample's standard deviation.
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
