"""Tabulate the refused cases with their reasons, and print their number."""

import sys

from ctseg.files import write_table
from ctseg.jobs.refusals import refusals
from ctseg.plurals import counted
from job import job

COLUMNS = dict.fromkeys(["case", "split", "refused_by", "reason"], "")

with job(snakemake) as log:
    splits = snakemake.params.settings["splits"]
    rows = [
        {"case": found.case, "split": splits[found.case], "refused_by": found.rule, "reason": found.reason}
        for found in refusals(snakemake.input)
    ]
    rows.sort(key=lambda row: (row["case"], row["refused_by"]))
    for row in rows:
        log.warning("%s: %s: %s", row["case"], row["refused_by"], row["reason"])
    write_table(snakemake.output.refused, COLUMNS, rows)
    if rows:
        refused = len({row["case"] for row in rows})
        print(
            f"\nctseg: {refused} of {counted(len(splits), 'case')} refused; {snakemake.output.refused} says why\n",
            file=sys.stderr,
        )
