"""Write the report of the study as one HTML file."""

from pathlib import Path

import pandas as pd

from ctseg.files import read_json
from ctseg.report import plan_table, write_report
from ctseg.tables import read_tables
from job import job

with job(snakemake):
    source = snakemake.input
    parity = pd.DataFrame(read_json(source.parity)["sizes"])
    write_report(
        snakemake.output.report,
        snakemake.params.step["study"],
        Path(source.note).read_text(encoding="utf-8"),
        {
            "Summary": read_tables([source.summary]),
            "Cases": read_tables([source.cases]),
            "Networks": pd.read_csv(source.members, sep="\t", dtype={"network": str}),
            "Plan": plan_table(read_json(source.plan)),
            "Threshold and postprocessing": plan_table(read_json(source.cleaning)),
            "Windows and precision": plan_table(read_json(source.inference)),
            "Exported model against the trained one (largest difference of a probability)": parity,
        },
        {"Training": [source.training], "Metrics": [source.metrics], "Segmentations": list(source.case_figures)},
    )
