"""Plot the metrics of all measured cases."""

from ctseg.evaluation.summary import read_tables
from ctseg.report.metric_plots import plot_calibration, plot_dice, plot_froc, plot_volumes
from job import job

with job(snakemake):
    source, output = snakemake.input, snakemake.output
    cases = read_tables([source.cases])
    plot_dice(cases, output.dice)
    plot_volumes(cases, output.volumes)
    if source.get("froc"):
        plot_froc(read_tables([source.froc]), output.froc)
        plot_calibration(read_tables([source.reliability]), output.calibration)
