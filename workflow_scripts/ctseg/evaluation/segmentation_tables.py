"""Tables of all segmented scans with their flags, and of the components found in them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ctseg.evaluation.quality_flags import quality_flags
from ctseg.evaluation.summary import read_tables
from ctseg.files import read_json
from ctseg.inference.model_card import ModelCard
from ctseg.scans.flag import Flag


def scan_row(case: str, found: pd.DataFrame, volumes_cm3: Mapping[str, float], flags: Sequence[Flag]) -> dict[str, Any]:
    """Row of a scan: number of components, volume of each target in cm³, and flags."""
    volumes = {f"{label}_cm3": volume for label, volume in volumes_cm3.items()}
    return {"case": case, "components": len(found), **volumes, "flags": "; ".join(flag.text for flag in flags)}


def segmentation_tables(files: Mapping[str, Mapping[str, str]], card: ModelCard) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table with one row per scan, and table with one row per component and the case in its first column.

    `files` has for each case the paths of its `components`, of the `facts` of its scan, of the facts of its
    postprocessing (`postprocessed`), and of its `lungs_facts` if it has a lung field.
    """
    rows, tables = [], []
    for case, paths in files.items():
        found = read_tables([paths["components"]]).astype({"component": int, "voxels": int})
        lungs = read_json(paths["lungs_facts"]) if "lungs_facts" in paths else None
        flags = quality_flags(read_json(paths["facts"]), card, lungs, found.to_dict("records"))
        rows.append(scan_row(case, found, read_json(paths["postprocessed"])["volumes_cm3"], flags))
        tables.append(found.assign(case=case))
    components = pd.concat(tables)
    return pd.DataFrame(rows), components[["case", *(name for name in components if name != "case")]]
