"""Plot loss and validation Dice of all networks."""

from pathlib import Path

import pandas as pd

from ctseg.report.study_plots import plot_training
from job import job

with job(snakemake):
    histories = {Path(path).parent.name: pd.read_csv(path, sep="\t") for path in snakemake.input.history}
    plot_training(histories, snakemake.output.figure)
