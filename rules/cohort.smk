# The scans of the study: tables and a figure.


rule tabulate_cohort:
    """Tables of the scans and labels of the study, and of the series in their folders that were not used."""
    input:
        facts=expand(rules.convert_image.output.facts, case=STUDY.to_report),
        labels=expand(rules.convert_label.output.facts, case=STUDY.with_label),
    output:
        cohort=report(
            f"{RESULTS}/cohort.tsv",
            category="Cohort",
            labels={"table": "Scans"},
            caption="report/cohort.rst",
        ),
        passed_over=f"{RESULTS}/passed_over.tsv",
        labels=f"{RESULTS}/labels.tsv",
        label_notes=f"{RESULTS}/labels.txt",
    log:
        f"{RESULTS}/logs/tabulate_cohort/cohort.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_cohort/cohort.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        settings=settings(
            # Authors and comments, which change no label.
            corrections=STUDY.corrections,
            labelled=STUDY.with_label,
            places=STUDY.cohort_rows(STUDY.to_report),
        ),
        code=code("tabulate_cohort.py"),
    message:
        "Tabulating the scans and labels"
    script:
        "../workflow_scripts/tabulate_cohort.py"


rule tabulate_refusals:
    """Table of the refused cases, with the reason of each."""
    input:
        **LUNGS_OF_REPORTED,
        facts=expand(rules.convert_image.output.facts, case=STUDY.to_report),
        labels=expand(rules.convert_label.output.label, case=STUDY.with_label),
    output:
        refused=report(
            f"{RESULTS}/refused.tsv",
            category="Cohort",
            labels={"table": "Refused cases"},
            caption="report/refused.rst",
        ),
    log:
        f"{RESULTS}/logs/tabulate_refusals/refused.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_refusals/refused.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        settings=settings(
            splits={case: STUDY.places[case].split for case in STUDY.to_report},
        ),
        code=code("tabulate_refusals.py"),
    message:
        "Tabulating the cases that were refused"
    script:
        "../workflow_scripts/tabulate_refusals.py"


rule plot_cohort:
    """Figure of the voxel sizes and lengths of the scans."""
    input:
        cohort=rules.tabulate_cohort.output.cohort,
    output:
        figure=report(
            f"{RESULTS}/figures/cohort.svg",
            category="Cohort",
            labels={"figure": "Voxels and lengths"},
            caption="report/cohort_figure.rst",
        ),
    log:
        f"{RESULTS}/logs/plot_cohort/cohort.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_cohort/cohort.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        code=code("plot_cohort.py"),
    message:
        "Plotting the scans"
    script:
        "../workflow_scripts/plot_cohort.py"
