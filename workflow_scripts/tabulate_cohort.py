"""Tabulate the scans and labels of the study, and the series that were not used."""

from ctseg.files import read_json, write_text
from ctseg.jobs.refusals import admitted, read_refusal
from ctseg.report.cohort import cohort_table, label_notes, label_table, passed_over
from job import job

with job(snakemake) as log:
    params, source = snakemake.params.settings, snakemake.input
    usable = set(admitted(source.facts, "to tabulate"))
    scans = zip(params["places"], source.facts, strict=True)
    facts = {case: read_json(path) for case, path in scans if path in usable}
    converted = zip(params["labelled"], source.get("labels", []), strict=True)
    labels = {case: read_json(path) for case, path in converted if read_refusal(path) is None}
    cohort = cohort_table(facts, params["places"], labels)
    log.info("%d scans, %d with a warning", len(cohort), cohort["warnings"].count())
    for note in label_notes(labels):
        log.warning("%s", note)
    write_text(snakemake.output.cohort, cohort.to_csv(sep="\t", index=False))
    write_text(snakemake.output.passed_over, passed_over(facts).to_csv(sep="\t", index=False))
    write_text(snakemake.output.labels, label_table(labels, params["corrections"]).to_csv(sep="\t", index=False))
    write_text(snakemake.output.label_notes, "".join(f"{note}\n" for note in label_notes(labels)))
