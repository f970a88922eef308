"""What was found in all scans, and what is unusual about each."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ctseg.evaluation.quality_flags import quality_flags
from ctseg.evaluation.summary import read_tables
from ctseg.files import read_json
from ctseg.inference.model_card import ModelCard
from ctseg.scans.flag import Flag


def scan_row(case: str, found: pd.DataFrame, volumes_cm3: Mapping[str, float], flags: Sequence[Flag]) -> dict[str, Any]:
    """The row of a scan: how many components, the volume of each target in cm³, and its flags."""
    volumes = {f"{label}_cm3": volume for label, volume in volumes_cm3.items()}
    return {"case": case, "components": len(found), **volumes, "flags": "; ".join(flag.text for flag in flags)}


def segmentation_tables(files: Mapping[str, Mapping[str, str]], card: ModelCard) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row for each scan, and a row for each component with its case in front.

    `files` has for each case the paths of its `components`, of the `facts` of its scan and of what was `postprocessed`,
    and of its `lungs_facts` where it has a lung field.
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
