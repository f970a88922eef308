"""Tabulate the networks of the study: the best validation Dice of each, and their spread."""

import pandas as pd

from ctseg.evaluation.summary import member_table
from ctseg.files import write_text
from job import job

with job(snakemake):
    members = snakemake.params.settings["members"]
    histories = [pd.read_csv(path, sep="\t") for path in snakemake.input.history]
    table = member_table(dict(zip(members, histories, strict=True)), members)
    write_text(snakemake.output.members, table.to_csv(sep="\t", index=False, float_format="%.6g"))
