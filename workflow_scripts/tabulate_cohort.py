"""Tabulate the scans of the study, and the series that were not taken."""

from ctseg.cohort import cohort_table, passed_over
from ctseg.files import read_json, write_text
from ctseg.refusals import admitted
from job import job

with job(snakemake) as log:
    places = snakemake.params.step["places"]
    paths = dict(zip(places, snakemake.input.facts, strict=True))
    usable = set(admitted(paths.values(), "to tabulate"))
    facts = {case: read_json(path) for case, path in paths.items() if path in usable}
    cohort = cohort_table(facts, places)
    log.info("%d scans, %d with a warning", len(cohort), cohort["warnings"].count())
    write_text(snakemake.output.cohort, cohort.to_csv(sep="\t", index=False))
    write_text(snakemake.output.passed_over, passed_over(facts).to_csv(sep="\t", index=False))
