"""What scans a study is made of, from the facts that conversion wrote down; nothing here names a patient."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

TEXT = dict.fromkeys(["case", "split", "fold", "manufacturer", "model", "kernel", "warnings"], str)


def cohort_table(facts: Mapping[str, Mapping[str, Any]], places: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row a case: where it goes, its voxels and length in mm, how it was acquired, and what was warned of.

    `facts` are those of each case's image, `places` its split, fold and patient.
    """
    rows = []
    for case, known in facts.items():
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
                "kvp": known.get("kvp"),
                "warnings": "; ".join(known.get("warnings", [])) or None,
            }
        )
    return pd.DataFrame(rows)


def passed_over(facts: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row a series that lay beside the chosen one of a case, with the reason why it was not taken."""
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
    """The table as it was written, with names that look like numbers as text."""
    return pd.read_csv(path, sep="\t", dtype=TEXT)
