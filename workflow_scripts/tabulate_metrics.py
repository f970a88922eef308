"""Put the metrics of all cases into one table, and summarise it by split and label."""

from ctseg.files import atomic_path, write_text
from ctseg.tables import note, read_tables, summarise
from job import job

with job(snakemake) as log:
    cases = read_tables(snakemake.input.metrics)
    summary = summarise(cases, snakemake.params.step["patients"])
    for rows, path in ((cases, snakemake.output.cases), (summary, snakemake.output.summary)):
        with atomic_path(path) as partial:
            rows.to_csv(partial, sep="\t", index=False, float_format="%.4f", na_rep="nan")
    text = note(summary, read_tables(snakemake.input.baseline))
    log.info("%s", text)
    write_text(snakemake.output.note, text)
