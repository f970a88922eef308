"""Plot the metrics of all measured cases."""

import pandas as pd

from ctseg.plots import plot_metrics
from job import job

with job(snakemake):
    plot_metrics(pd.read_csv(snakemake.input.cases, sep="\t"), snakemake.output.figure)
