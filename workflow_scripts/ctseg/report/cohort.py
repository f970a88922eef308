"""Tables of the scans and labels of a study, from the facts of their conversion, without names of patients."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ctseg.plurals import counted

TEXT = dict.fromkeys(["case", "split", "fold", "manufacturer", "model", "kernel", "contrast", "warnings"], str)
LABEL_COLUMNS = ["case", "label", "voxels", "volume_cm3", "drawn", "lost", "lost_to"]
# Columns of corrected labels; the table of a study without a correction does not have them.
CORRECTION_COLUMNS = ["compared_with", "before_cm3", "added_cm3", "removed_cm3", "dice_with_before"]
CORRECTION_COLUMNS += ["corrected_by", "comment"]
YES_NO: dict[Any, str] = {True: "yes", False: "no"}
MOST_VALUES = 10  # largest number of values listed in a line

Facts = Mapping[str, Mapping[str, Any]]  # by case


def subjects(source: str) -> str:
    """Noun for the subjects of a study: "phantom" if the study makes them (`cases.source`), else "patient"."""
    return "phantom" if source == "phantom" else "patient"


def cohort_table(facts: Facts, places: Facts, labels: Facts | None = None) -> pd.DataFrame:
    """One row per case: split, fold and patient, voxels, spacing and length in mm, acquisition, and warnings.

    By case, `facts` has the facts of the image, `labels` the facts of the label if it has one, and `places` split, fold
    and patient.
    """
    rows = []
    for case, known in facts.items():
        warnings = [*known.get("warnings", []), *_label_warnings((labels or {}).get(case, {}))]
        columns, lines, slices = known["size_xyz"]
        spacing_mm = known["spacing_xyz_mm"]
        rows.append(
            {
                "case": case,
                **places[case],
                "slices": slices,
                "columns": columns,
                "rows": lines,
                "pixel_spacing_mm": spacing_mm[0],
                "slice_spacing_mm": spacing_mm[2],
                "length_mm": round(slices * spacing_mm[2], 2),
                "manufacturer": known.get("manufacturer"),
                "model": known.get("model"),
                "kernel": known.get("kernel"),
                "contrast": YES_NO.get(known.get("contrast")),
                "kvp": known.get("kvp"),
                "warnings": "; ".join(warnings) or None,
            }
        )
    return pd.DataFrame(rows)


def _label_warnings(facts: Mapping[str, Any]) -> list[str]:
    return [f"label: {text}" for text in facts.get("warnings", [])]


def label_table(labels: Facts, authors: Mapping[str, Mapping[str, str]] | None = None) -> pd.DataFrame:
    """One row per case and label: voxels and volume, voxels drawn in its file, and voxels lost to other labels.

    If a label was corrected, further columns have the author, and the volumes that the correction added and removed.
    `authors` has `by` and `comment` of each corrected case.
    """
    rows: list[dict[str, Any]] = [
        {
            "case": case,
            "label": label,
            "voxels": found["voxels"],
            "volume_cm3": found["volume_cm3"],
            "drawn": found["drawn"],
            "lost": found["drawn"] - found["voxels"],
            "lost_to": ", ".join(f"{other}: {voxels}" for other, voxels in found["lost_to"].items()) or None,
            **_correction(facts, label, (authors or {}).get(case, {})),
        }
        for case, facts in labels.items()
        for label, found in facts["labels"].items()
    ]
    corrected = any("correction" in facts for facts in labels.values())
    return pd.DataFrame(rows, columns=LABEL_COLUMNS + CORRECTION_COLUMNS * corrected)


def _changes(correction: Mapping[str, Any]) -> bool:
    """Whether a correction added or removed voxels."""
    return any(change["added_cm3"] or change["removed_cm3"] for change in correction["labels"].values())


def _correction(facts: Mapping[str, Any], label: str, author: Mapping[str, str]) -> dict[str, Any]:
    """Columns on the correction of a label; empty if it was not corrected."""
    if not (correction := facts.get("correction")):
        return {}
    who = {
        "compared_with": correction["compared_with"] or "nothing",
        "corrected_by": author.get("by") or "not told",
        "comment": author.get("comment") or None,
    }
    return {**correction["labels"].get(label, {}), **who}


def label_notes(labels: Facts) -> list[str]:
    """Sentences on the labels of a study: absent labels, lost voxels, corrections, and values without a label."""
    table = label_table(labels)
    notes = []
    for label, rows in table.groupby("label", sort=False):
        absent, losing = (rows["voxels"] == 0).sum(), (rows["lost"] > 0).sum()
        if absent:
            notes.append(f"{label} has no voxel in {absent} of {counted(len(rows), 'label')}")
        if losing:
            notes.append(f"{label} loses voxels to other labels in {losing} of {counted(len(rows), 'label')}")
    if corrected := [facts["correction"] for facts in labels.values() if "correction" in facts]:
        numbers = {kind: sum(one["compared_with"] == kind for one in corrected) for kind in ("segmentation", "label")}
        same = sum(bool(one["labels"]) and not _changes(one) for one in corrected)
        notes.append(
            f"{len(corrected)} of {counted(len(labels), 'label')} come from cases.corrections: "
            f"{numbers['segmentation']} compared with the edited segmentation, {numbers['label']} with the "
            f"previous label; {same} change nothing"
        )
    values = [value for facts in labels.values() for value in facts["unused_values"]]
    if values:
        cases = sum(bool(facts["unused_values"]) for facts in labels.values())
        often = {value: values.count(value) for value in sorted(set(values), key=int)}
        listed = ", ".join(f"{value} in {count}" for value, count in list(often.items())[:MOST_VALUES])
        more = ", …" if len(often) > MOST_VALUES else ""
        notes.append(f"{cases} of {counted(len(labels), 'label')} hold values without a label ({listed}{more})")
    return notes


def passed_over(facts: Facts) -> pd.DataFrame:
    """One row per further series of a case that was not chosen, with the reason."""
    rows = [
        {
            "case": case,
            "modality": other.get("modality"),
            "images": other.get("images"),
            "slice_distance_mm": other.get("slice_distance_mm"),
            "kernel": other.get("kernel"),
            "reason": other.get("reason"),
        }
        for case, known in facts.items()
        for other in (known.get("series") or {}).get("others", [])
    ]
    return pd.DataFrame(rows, columns=["case", "modality", "images", "slice_distance_mm", "kernel", "reason"])


def read_cohort(path: str) -> pd.DataFrame:
    """Read the table of scans; names that look like numbers stay text."""
    return pd.read_csv(path, sep="\t", dtype=TEXT)
