# Pictures and the report.


rule plot_training:
    """Learning curves of all networks."""
    input:
        history=expand(rules.train.output.history, member=MEMBERS),
    output:
        figure=report(
            f"{RESULTS}/figures/training.png",
            category="Training",
            labels={"figure": "Learning curves"},
            caption="report/training.rst",
        ),
    log:
        f"{RESULTS}/logs/plot_training/training.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_training/training.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(1),
        runtime=minutes(10),
    params:
        step={},
        code=code("plot_training.py"),
    message:
        "Plotting the learning curves"
    script:
        "../workflow_scripts/plot_training.py"


rule plot_metrics:
    """Dice and volumes of all measured cases."""
    input:
        cases=rules.tabulate_metrics.output.cases,
    output:
        figure=report(
            f"{RESULTS}/figures/metrics.png",
            category="Results",
            labels={"figure": "Dice and volumes"},
            caption="report/metrics.rst",
        ),
    log:
        f"{RESULTS}/logs/plot_metrics/metrics.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_metrics/metrics.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(1),
        runtime=minutes(10),
    params:
        step={},
        code=code("plot_metrics.py"),
    message:
        "Plotting the metrics"
    script:
        "../workflow_scripts/plot_metrics.py"


rule plot_case:
    """Three planes of a case with label and segmentation."""
    input:
        unpack(lungs_of),
        unpack(label_of),
        image=rules.convert_image.output.image,
        segmentation=rules.postprocess.output.segmentation,
        plan=rules.plan.output.plan,
    output:
        figure=report(
            f"{RESULTS}/figures/cases/{{case}}.png",
            category="Cases",
            labels={"case": "{case}"},
            caption="report/case.rst",
        ),
    log:
        f"{RESULTS}/logs/plot_case/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_case/{{case}}.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(2),
        runtime=minutes(10),
    params:
        step=lambda wildcards: step(labels=LABELS, **case_table(wildcards.case)),
        code=code("plot_case.py"),
    message:
        "Drawing {wildcards.case} with its segmentation"
    script:
        "../workflow_scripts/plot_case.py"


rule report:
    """The report of the study as one HTML file, with all that it shows."""
    input:
        cases=rules.tabulate_metrics.output.cases,
        summary=rules.tabulate_metrics.output.summary,
        note=rules.tabulate_metrics.output.note,
        members=rules.tabulate_training.output.members,
        parity=rules.export_model.output.parity,
        cleaning=rules.tune.output.cleaning,
        inference=rules.choose_variant.output.inference,
        plan=rules.plan.output.plan,
        training=rules.plot_training.output.figure,
        metrics=rules.plot_metrics.output.figure,
        case_figures=expand(rules.plot_case.output.figure, case=cases_to_segment()),
    output:
        report=f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report/report.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(1),
        runtime=minutes(10),
    params:
        step=step(study=STUDY),
        code=code("report.py"),
    message:
        "Writing the report of study {STUDY}"
    script:
        "../workflow_scripts/report.py"
