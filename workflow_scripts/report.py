"""Write the report of the study as one HTML file."""

from ctseg.report import write_report
from ctseg.study_report import gather
from job import job

with job(snakemake):
    write_report(snakemake.output.report, gather(snakemake.input, snakemake.params.step))
