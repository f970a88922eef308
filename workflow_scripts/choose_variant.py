"""Choose windows, overlap and precision by their results on out-of-fold cases; values given in the config are kept."""

import pandas as pd

from ctseg.files import write_json, write_text
from ctseg.jobs.refusals import usable
from ctseg.tuning.inference_variants import COLUMNS, choose, summary
from job import job

with job(snakemake) as log:
    tables = [
        pd.read_csv(path, sep="\t", dtype={"case": str}, keep_default_na=False)
        for path in filter(usable, snakemake.input.get("compared", []))
    ]
    rows = summary(pd.concat(tables).astype({"dice": float}).to_dict("records")) if tables else []
    made = choose(rows, snakemake.params.settings)
    for name, decision in made.items():
        log.info("%s: %s (%s)", name, decision["value"], decision["reason"])
    table = pd.DataFrame(rows, columns=[*COLUMNS, "cases", "computed_mvoxels", "seconds", "dice"])
    write_text(snakemake.output.variants, table.to_csv(sep="\t", index=False, float_format="%.4f"))
    write_json(snakemake.output.inference, made)
