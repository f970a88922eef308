"""Tabulate what was found in all cases, and what is unusual about each."""

from pathlib import Path

import pandas as pd

from ctseg.evaluation.quality_flags import quality_flags
from ctseg.evaluation.summary import read_tables
from ctseg.files import read_json, write_text
from ctseg.inference.model_card import ModelCard
from ctseg.jobs.refusals import admitted
from job import job

with job(snakemake) as log:
    params, source = snakemake.params.settings, snakemake.input
    card = ModelCard.from_json(Path(source.card).read_text(encoding="utf-8"))
    lungs = source.get("lungs_facts") or [None] * len(params["cases"])
    rows, tables = [], []
    usable = set(admitted(source.components, "to segment"))
    for case, facts, field, table in zip(params["cases"], source.facts, lungs, source.components, strict=True):
        if table not in usable:
            continue
        found = read_tables([table]).astype({"component": int, "voxels": int})
        tables.append(found.assign(case=case))
        flags = quality_flags(read_json(facts), card, read_json(field) if field else None, found.to_dict("records"))
        volumes = {f"{label}_cm3": found.loc[found["label"] == label, "volume_cm3"].sum() for label in card.labels}
        rows.append({"case": case, "components": len(found), **volumes, "flags": "; ".join(flags)})
    scans, components = pd.DataFrame(rows), pd.concat(tables)
    log.info("%d of %d scans with a flag", (scans["flags"] != "").sum(), len(scans))
    write_text(snakemake.output.scans, scans.to_csv(sep="\t", index=False, float_format="%.4f"))
    order = ["case", *(name for name in components if name != "case")]
    write_text(snakemake.output.components, components[order].to_csv(sep="\t", index=False))
