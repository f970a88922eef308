"""Write the report of the study as one HTML file."""

from ctseg.report.gather import gather
from ctseg.report.html import write_report
from ctseg.report.report_files import without_refused
from job import job

with job(snakemake):
    source, params = without_refused(dict(snakemake.input.items()), snakemake.params.settings)
    write_report(snakemake.output.report, gather(source, params))
