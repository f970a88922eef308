# Metrics of the segmentations, on the scans' own grids.


rule measure:
    """Overlap, volume, surface and lesion metrics of one case, and of HU thresholds as baseline."""
    input:
        **LUNGS,
        postprocessing=POSTPROCESSING,
        label=rules.convert_label.output.label,
        segmentation=rules.postprocess.output.segmentation,
        image=rules.convert_image.output.image,
    output:
        metrics=f"{RESULTS}/metrics/cases/{{case}}.tsv",
        lesions=f"{RESULTS}/metrics/lesions/{{case}}.tsv",
        baseline=f"{RESULTS}/metrics/baseline/{{case}}.tsv",
    log:
        f"{RESULTS}/logs/measure/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure/{{case}}.tsv"
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=memory_mb(2),
    params:
        settings=settings(
            baseline_thresholds_hu=config["measure"]["baseline_thresholds_hu"],
            labels=LABELS,
            lesion_iou=config["measure"]["lesion_iou"],
            tolerances_mm=config["measure"]["tolerances_mm"],
            own=[STUDY.row],
        ),
        code=code("measure.py"),
    script:
        "../workflow_scripts/measure.py"


rule measure_probabilities:
    """Lesions found over all thresholds (FROC), and reliability of the probabilities, of one case."""
    input:
        **LUNGS,
        **{name: rules.infer.output[name] for name in PROBABILITIES},
        postprocessing=POSTPROCESSING,
        label=rules.convert_label.output.label,
    output:
        froc=f"{RESULTS}/metrics/froc/{{case}}.tsv",
        reliability=f"{RESULTS}/metrics/reliability/{{case}}.tsv",
    log:
        f"{RESULTS}/logs/measure_probabilities/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_probabilities/{{case}}.tsv"
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=memory_mb(2),
    params:
        settings=settings(
            labels=LABELS,
            lesion_iou=config["measure"]["lesion_iou"],
            own=[STUDY.row],
        ),
        code=code("measure_probabilities.py"),
    script:
        "../workflow_scripts/measure_probabilities.py"


rule measure_stability:
    """Changes of a segmentation when the network's grid is shifted by half a voxel."""
    input:
        **LUNGS,
        **INT8,
        **SHIPPED_TORCHSCRIPT,
        image=rules.convert_image.output.image,
        inference=INFERENCE,
        model=MODEL,
        segmentation=rules.postprocess.output.segmentation,
    output:
        stability=f"{RESULTS}/metrics/stability/{{case}}.tsv",
    log:
        f"{RESULTS}/logs/measure_stability/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_stability/{{case}}.tsv"
    conda:
        "../envs/predict.yaml"
    threads: config["resources"]["threads"]
    resources:
        mem_mb=memory_mb(3 + config["infer"]["memory_gib"]),
        runtime=minutes(60),
        gpu=INFER_GPUS,
    params:
        settings=settings(
            batch_size=config["infer"]["batch_size"],
            engine=config["infer"]["engine"],
            gpu_memory_gib=config["infer"]["gpu_memory_gib"],
            memory_gib=config["infer"]["memory_gib"],
        ),
        code=code("measure_stability.py"),
    script:
        "../workflow_scripts/measure_stability.py"


PROBABILITY_TABLES = ["froc", "reliability"] if PROBABILITIES else []
STABILITY_TABLES = (
    {
        "stability": expand(
            rules.measure_stability.output.stability, case=STUDY.to_measure
        )
    }
    if config["measure"]["stability"]
    else {}
)


rule tabulate_metrics:
    """The metrics of all measured cases, and their summary."""
    input:
        **{
            name: expand(
                rules.measure_probabilities.output[name], case=STUDY.to_measure
            )
            for name in PROBABILITY_TABLES
        },
        **STABILITY_TABLES,
        metrics=expand(rules.measure.output.metrics, case=STUDY.to_measure),
        lesions=expand(rules.measure.output.lesions, case=STUDY.to_measure),
        baseline=expand(rules.measure.output.baseline, case=STUDY.to_measure),
    output:
        **{name: f"{RESULTS}/metrics/{name}.tsv" for name in PROBABILITY_TABLES},
        cases=report(
            f"{RESULTS}/metrics/cases.tsv",
            category="Results",
            labels={"table": "Metrics per case"},
            caption="report/cases.rst",
        ),
        summary=report(
            f"{RESULTS}/metrics/summary.tsv",
            category="Results",
            labels={"table": "Summary"},
            caption="report/summary.rst",
        ),
        lesions=f"{RESULTS}/metrics/lesions.tsv",
        lesion_summary=report(
            f"{RESULTS}/metrics/lesion_summary.tsv",
            category="Results",
            labels={"table": "Lesions by diameter"},
            caption="report/lesion_summary.rst",
        ),
        note=f"{RESULTS}/metrics/note.md",
    log:
        f"{RESULTS}/logs/tabulate_metrics/metrics.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_metrics/metrics.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        settings=settings(
            groups=STUDY.groups(STUDY.to_measure),
            patients=STUDY.patients(STUDY.to_measure),
        ),
        code=code("tabulate_metrics.py"),
    message:
        "Tabulating the metrics of all cases"
    script:
        "../workflow_scripts/tabulate_metrics.py"
