"""Contents of the report: its tables, choice of pictures, cost of the study."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib import metadata
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

FAILED = ("missed", "false_alarm")
# Columns of the report's table of cases; the file has all columns.
CASE_COLUMNS = ["case", "split", "label", "state", "dice", "surface_dice", "hd95_mm", "assd_mm"]
CASE_COLUMNS += ["reference_volume_cm3", "predicted_volume_cm3", "volume_error_percent"]
CASE_COLUMNS += ["reference_lesions", "found_lesions", "false_lesions", "panoptic_quality", "brier", "ece"]
CASE_COLUMNS += ["stability_dice", "stability_volume_percent"]
SUMMARY_COLUMNS = ["split", "label", "group", "metric", "n", "mean", "mean_low", "mean_high", "median", "q25", "q75"]
PACKAGES = ["snakemake", "torch", "monai", "SimpleITK", "nibabel", "numpy", "pandas", "scikit-image", "scipy", "onnx"]
PACKAGES += ["onnxruntime", "openvino", "pydicom", "connected-components-3d", "matplotlib"]


def headline_split(cases: pd.DataFrame) -> str:
    """Split of the front page: `test` if it has a case, else `val`, else the split of the first case."""
    return next((split for split in ("test", "val") if (cases["split"] == split).any()), str(cases["split"].iloc[0]))


def columns_shown(columns: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """Columns named in `wanted`, in its order; `surface_dice` selects the columns of all tolerances."""
    found = []
    for name in wanted:
        found += [column for column in columns if column == name or column.startswith(f"{name}_")]
    return found


def worst_first(cases: pd.DataFrame) -> pd.DataFrame:
    """Table of cases, failures first, then by rising Dice; cases without a Dice are last."""
    failed = ~cases["state"].isin(FAILED)
    return cases.assign(_failed=failed).sort_values(["_failed", "dice", "case"]).drop(columns="_failed")


def shown_cases(cases: pd.DataFrame) -> pd.DataFrame:
    """The columns of the report's table, the worst case first."""
    return worst_first(cases)[columns_shown(cases.columns, CASE_COLUMNS)]


def shown_summary(summary: pd.DataFrame) -> pd.DataFrame:
    """The columns of the report's summary."""
    return summary[SUMMARY_COLUMNS]


def shown_lesions(lesions: pd.DataFrame) -> pd.DataFrame:
    """The report's table of lesions, each interval in one column."""
    shown = lesions[["split", "label", "diameter", "lesions", "found", "sensitivity"]].copy()
    shown["its interval"] = _spans(lesions, "sensitivity")
    shown[["false", "false_per_scan"]] = lesions[["false", "false_per_scan"]]
    shown[" its interval"] = _spans(lesions, "false_per_scan")
    shown["precision"] = lesions["precision"]
    return shown.assign(**{"its interval ": _spans(lesions, "precision")})


def shown_strata(strata: pd.DataFrame, subject: str) -> pd.DataFrame:
    """The report's table by acquisition, each interval in one column; `subject` is "patient" or "phantom"."""
    shown = strata[["split", "label", "stratum", "value", "cases", "patients", "dice"]].copy()
    shown["its interval"] = _spans(strata, "dice")
    shown[["lesions", "found", "sensitivity"]] = strata[["lesions", "found", "sensitivity"]]
    shown = shown.assign(**{" its interval": _spans(strata, "sensitivity"), "false": strata["false"]})
    return shown.rename(columns={"patients": f"{subject}s"})


def _spans(rows: pd.DataFrame, column: str) -> list[str]:
    """Intervals of a column in words; a dash if the interval is NaN."""
    spans = zip(rows[f"{column}_low"], rows[f"{column}_high"], strict=True)
    return ["–" if np.isnan(low) else f"{low:.2f} to {high:.2f}" for low, high in spans]


def pictured(measured: Sequence[str], others: Sequence[str], most: int) -> list[str]:
    """Up to `most` cases to show, the worst first: all if they fit, else the worst `most` // 2 and a sample.

    `measured` begins with the worst case; `others` are cases without a label. The sample is even over the rest.
    """
    ranked = [*measured, *others]
    if len(ranked) <= most:
        return ranked
    worst, rest = ranked[: most // 2], ranked[most // 2 :]
    places = np.linspace(0, len(rest) - 1, most - len(worst)).round().astype(int)
    return worst + [rest[place] for place in places]


def looked_through(cases: pd.DataFrame, most: int) -> list[str]:
    """Up to `most` cases of the headline's split for the viewers, spread evenly from the worst to the best."""
    ranked = list(dict.fromkeys(worst_first(cases[cases["split"] == headline_split(cases)])["case"]))
    places = np.unique(np.linspace(0, len(ranked) - 1, min(most, len(ranked))).round().astype(int))
    return [ranked[place] for place in places]


def caption(rows: pd.DataFrame) -> str:
    """Dice and lesions of a case in one sentence, label by label."""
    parts = []
    for row in rows.itertuples():
        dice = "no Dice" if np.isnan(row.dice) else f"Dice {row.dice:.3f}"
        lesions = f"{row.found_lesions:.0f} of {row.reference_lesions:.0f} lesions found, {row.false_lesions:.0f} false"
        state = f" ({row.state.replace('_', ' ')})" if row.state != "both" else ""
        parts.append(f"{row.label}: {dice}{state}, {lesions}")
    return "; ".join(parts) or "no label to compare with"


def training_speeds(folder: Path, networks: Collection[str]) -> list[str]:
    """Speed and hardware from the log of each network; the log of an interrupted job has only its last run."""
    told = []
    for path in (path for path in sorted(folder.glob("*.log")) if path.stem in networks):
        lines = [line.partition(" INFO ")[2] for line in path.read_text(encoding="utf-8").splitlines()]
        told += [f"network {path.stem}: {line}" for line in lines if "patches a second" in line]
    return told


def costs(folder: Path, names: Collection[str]) -> pd.DataFrame:
    """Jobs, time and largest memory of each rule, from Snakemake's benchmark files below `folder`.

    Of a rule with a job for each case or network, only those in `names` count: the files of others are from earlier
    runs of the study.
    """
    rows = []
    files = sorted(folder.glob("*/**/*.tsv"))  # the folder of a running job has no file yet
    for rule, paths in groupby(files, key=lambda path: path.relative_to(folder).parts[0]):
        found = {path.relative_to(folder / rule).with_suffix("").as_posix(): path for path in paths}
        present = [path for name, path in found.items() if name in names]
        runs = pd.concat([pd.read_csv(path, sep="\t", na_values="-") for path in present or found.values()])
        rows.append(
            {
                "rule": rule,
                "jobs": len(runs),
                "minutes_in_all": round(float(runs["s"].sum()) / 60, 2),
                "longest_minutes": round(float(runs["s"].max()) / 60, 2),
                "largest_memory_mib": round(float(runs["max_rss"].max()), 1),
            }
        )
    return pd.DataFrame(rows)


def versions(known: Mapping[str, str]) -> pd.DataFrame:
    """Versions of the packages: from the model file if it names them, else as installed here."""
    rows = []
    for name in PACKAGES:
        try:
            rows.append({"package": name, "version": known.get(name) or metadata.version(name)})
        except metadata.PackageNotFoundError:  # a package of another stage's environment
            rows.append({"package": name, "version": "in the environment of another stage"})
    return pd.DataFrame(rows)
