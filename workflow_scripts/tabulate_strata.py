"""Tabulate the results by acquisition: vendor, kind of kernel, and contrast."""

from ctseg.evaluation.strata import strata
from ctseg.evaluation.summary import read_tables
from ctseg.files import write_text
from ctseg.report.cohort import read_cohort
from job import job

with job(snakemake):
    source = snakemake.input
    cases, lesions = (read_tables([path]) for path in (source.cases, source.lesions))
    found = strata(cases, lesions, read_cohort(source.cohort))
    write_text(snakemake.output.strata, found.to_csv(sep="\t", index=False, float_format="%.4f", na_rep="nan"))
