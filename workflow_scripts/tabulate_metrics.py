"""Put the metrics of all cases into one table, and summarise it by split, label and group."""

import pandas as pd

from ctseg.digits import four_decimals
from ctseg.evaluation.summary import (
    froc_curve,
    note,
    read_tables,
    reliability_curve,
    summarise,
    with_calibration,
    with_stability,
)
from ctseg.files import atomic_path, write_text
from ctseg.jobs.refusals import admitted
from job import job


def write(rows: pd.DataFrame, path: str) -> None:
    """Write a table as TSV."""
    with atomic_path(path) as partial:
        rows.to_csv(partial, sep="\t", index=False, float_format=four_decimals, na_rep="nan")


with job(snakemake) as log:
    params, source, output = snakemake.params.settings, snakemake.input, snakemake.output
    cases = read_tables(admitted(source.metrics, "to measure"))
    if source.get("reliability"):
        bins = read_tables(admitted(source.reliability, "to measure"))
        cases = with_calibration(cases, bins)
        write(reliability_curve(bins), output.reliability)
        write(froc_curve(read_tables(admitted(source.froc, "to measure"))), output.froc)
    if source.get("stability"):
        cases = with_stability(cases, read_tables(admitted(source.stability, "to measure")))
    summary = summarise(cases, params["patients"], params["groups"])
    write(cases, output.cases)
    write(summary, output.summary)
    text = note(summary, read_tables(admitted(source.baseline, "to measure")))
    log.info("%s", text)
    write_text(output.note, text)
