"""Draw voxel sizes and lengths of the scans."""

from ctseg.report.cohort import read_cohort
from ctseg.report.study_plots import plot_cohort
from job import job

with job(snakemake):
    plot_cohort(read_cohort(snakemake.input.cohort), snakemake.output.figure)
