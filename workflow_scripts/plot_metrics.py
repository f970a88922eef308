"""Plot the metrics of all measured cases."""

from ctseg.plots import plot_metrics
from ctseg.tables import read_tables
from job import job

with job(snakemake):
    plot_metrics(read_tables([snakemake.input.cases]), snakemake.output.figure)
