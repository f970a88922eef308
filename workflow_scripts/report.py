"""Write the report of the study as one HTML file."""

from ctseg.report.gather import gather
from ctseg.report.html import write_report
from ctseg.report.report_files import without_refused
from job import job

with job(snakemake):
    source, step = without_refused(dict(snakemake.input.items()), snakemake.params.step)
    write_report(snakemake.output.report, gather(source, step))
