# Comparison of two studies on the same cases.

from ctseg.study.other_study import other_metrics


rule compare:
    """Comparison of this study's metrics with those of the study in `compare_with`."""
    input:
        ours=rules.tabulate_metrics.output.cases,
        theirs=lambda wildcards: other_metrics(config),
    output:
        table=report(
            f"{RESULTS}/comparison/{config['compare_with']}.tsv",
            category="Results",
            labels={"table": f"Against {config['compare_with']}"},
            caption="report/comparison.rst",
        ),
        figure=report(
            f"{RESULTS}/comparison/{config['compare_with']}.svg",
            category="Results",
            labels={"figure": f"Against {config['compare_with']}"},
            caption="report/comparison.rst",
        ),
    log:
        f"{RESULTS}/logs/compare/{config['compare_with']}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare/{config['compare_with']}.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        settings=settings(
            other=config["compare_with"],
            patients=STUDY.patients(STUDY.to_measure),
            study=config["study"],
        ),
        code=code("compare.py"),
    message:
        "Comparing {config[study]} with {config[compare_with]}"
    script:
        "../workflow_scripts/compare.py"
