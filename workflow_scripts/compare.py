"""Compare the metrics of this study with those of another one, case by case."""

from ctseg.evaluation.study_comparison import compare
from ctseg.evaluation.summary import read_tables
from ctseg.files import write_text
from ctseg.report.metric_plots import plot_comparison
from job import job

with job(snakemake) as log:
    params = snakemake.params.settings
    ours, theirs = (read_tables([path]) for path in (snakemake.input.ours, snakemake.input.theirs))
    comparison, pairs = compare(ours, theirs, params["patients"])
    for row in comparison[comparison["metric"] == "dice"].itertuples():
        log.info("%s, %s: Dice %+.4f on %d cases", row.split, row.label, row.difference, row.n)
    write_text(snakemake.output.table, comparison.to_csv(sep="\t", index=False, float_format="%.5g", na_rep="nan"))
    plot_comparison(comparison, pairs, (params["other"], params["study"]), snakemake.output.figure)
