"""Draw voxel sizes and lengths of the scans."""

from ctseg.cohort import read_cohort
from ctseg.plots import plot_cohort
from job import job

with job(snakemake):
    plot_cohort(read_cohort(snakemake.input.cohort), snakemake.output.figure)
