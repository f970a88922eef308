# Pictures and the report.

from ctseg.provenance.code_hash import files_hash


rule tabulate_strata:
    """The metrics by vendor, kind of kernel and contrast, as far as the scans state them."""
    input:
        cases=rules.tabulate_metrics.output.cases,
        cohort=rules.tabulate_cohort.output.cohort,
        lesions=rules.tabulate_metrics.output.lesions,
    output:
        strata=report(
            f"{RESULTS}/metrics/strata.tsv",
            category="Results",
            labels={"table": "By acquisition"},
            caption="report/strata.rst",
        ),
    log:
        f"{RESULTS}/logs/tabulate_strata/strata.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_strata/strata.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        code=code("tabulate_strata.py"),
    message:
        "Tabulating the metrics by how scans were acquired"
    script:
        "../workflow_scripts/tabulate_strata.py"


# Figures of the metrics, with their titles.
METRIC_FIGURES = {"dice": "Dice", "volumes": "Volumes"}
if config["measure"]["probabilities"]:
    METRIC_FIGURES |= {
        "froc": "Lesions over all thresholds",
        "calibration": "Calibration",
    }


rule plot_metrics:
    """Figures of Dice and volumes and, if probabilities are measured, of FROC and calibration."""
    input:
        **{name: f"{RESULTS}/metrics/{name}.tsv" for name in PROBABILITY_TABLES},
        cases=rules.tabulate_metrics.output.cases,
    output:
        **{
            name: report(
                f"{RESULTS}/figures/{name}.svg",
                category="Results",
                labels={"figure": title},
                caption=f"report/{name}.rst",
            )
            for name, title in METRIC_FIGURES.items()
        },
    log:
        f"{RESULTS}/logs/plot_metrics/metrics.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_metrics/metrics.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        code=code("plot_metrics.py"),
    message:
        "Plotting the metrics"
    script:
        "../workflow_scripts/plot_metrics.py"


# The labels of the measured cases.
LABEL_OF_SOME = of_some(
    "label", {case: f"{RESULTS}/labels/{case}.nii.gz" for case in STUDY.to_measure}
)


rule plot_case:
    """Three planes of a case with label and segmentation."""
    input:
        *LABEL_OF_SOME,
        **LUNGS,
        image=rules.convert_image.output.image,
        segmentation=rules.postprocess.output.segmentation,
        card=CARD,
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
    resources:
        mem_mb=memory_mb(2),
    params:
        settings=settings(labels=LABELS, own=[STUDY.row]),
        code=code("plot_case.py"),
    script:
        "../workflow_scripts/plot_case.py"


# The metrics and labels of the measured cases, if a case is measured.
MEASURED_CASES = {}
if STUDY.to_measure:
    MEASURED_CASES = {
        "cases": rules.tabulate_metrics.output.cases,
        "labels": expand(rules.convert_label.output.label, case=STUDY.to_measure),
    }


rule view_cases:
    """The cases of the report's slice viewer at full resolution, one page per case, usable offline."""
    input:
        **MEASURED_CASES,
        card=CARD,
        images=expand(rules.convert_image.output.image, case=STUDY.to_segment),
        segmentations=expand(
            rules.postprocess.output.segmentation, case=STUDY.to_segment
        ),
    output:
        viewer=directory(f"{RESULTS}/viewer"),
    log:
        f"{RESULTS}/logs/view_cases/viewer.log",
    benchmark:
        f"{RESULTS}/benchmarks/view_cases/viewer.tsv"
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=memory_mb(2),
    params:
        settings=settings(
            measured=STUDY.to_measure,
            segmented=STUDY.to_segment,
            viewer_cases=config["report"]["viewer_cases"],
        ),
        code=code("view_cases.py"),
        templates=files_hash(SCRIPTS / "ctseg" / "report" / "viewer"),
    message:
        "Writing the pages of cases at full resolution"
    script:
        "../workflow_scripts/view_cases.py"


# Parts of the report that exist only if networks are trained, or if cases are measured.
REPORTED_TRAINING, REPORTED_METRICS = {}, {}
if not config["model"]:
    REPORTED_TRAINING = {
        "members": rules.tabulate_training.output.members,
        "parity": rules.export_model.output.parity,
        "variants": rules.choose_variant.output.variants,
        "plan": rules.plan.output.plan,
        "training": rules.plot_training.output.figure,
    }
if STUDY.to_measure:
    REPORTED_METRICS = {
        **rules.plot_metrics.output,
        **MEASURED_CASES,
        "summary": rules.tabulate_metrics.output.summary,
        "note": rules.tabulate_metrics.output.note,
        "lesions": rules.tabulate_metrics.output.lesions,
        "lesion_summary": rules.tabulate_metrics.output.lesion_summary,
        "strata": rules.tabulate_strata.output.strata,
    }
FULL_RESOLUTION = {}
if config["report"]["full_resolution"]:
    FULL_RESOLUTION = {"viewer": rules.view_cases.output.viewer}


rule report:
    """The report of the study as one HTML file that contains all its figures and tables."""
    input:
        **REPORTED_TRAINING,
        **REPORTED_METRICS,
        **FULL_RESOLUTION,
        **LUNGS_OF_SEGMENTED,
        cohort=rules.tabulate_cohort.output.cohort,
        cohort_figure=rules.plot_cohort.output.figure,
        passed_over=rules.tabulate_cohort.output.passed_over,
        label_table=rules.tabulate_cohort.output.labels,
        label_notes=rules.tabulate_cohort.output.label_notes,
        refused=rules.tabulate_refusals.output.refused,
        scans=rules.tabulate_segmentations.output.scans,
        model=MODEL,
        card=CARD,
        postprocessing=POSTPROCESSING,
        inference=INFERENCE,
        case_figures=expand(rules.plot_case.output.figure, case=STUDY.to_segment),
        images=expand(rules.convert_image.output.image, case=STUDY.to_segment),
        segmentations=expand(
            rules.postprocess.output.segmentation, case=STUDY.to_segment
        ),
    output:
        report=f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report/report.tsv"
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=memory_mb(2),
    params:
        settings=settings(
            "report",
            benchmarks=f"{RESULTS}/benchmarks",
            cases=list(STUDY.cases),
            config=reported_config(config),
            excluded=STUDY.excluded,
            labelled=list(STUDY.labels),
            logs=f"{RESULTS}/logs",
            measured=STUDY.to_measure,
            reported=STUDY.to_report,
            segmented=STUDY.to_segment,
            study=config["study"],
        ),
        code=code("report.py"),
        templates=files_hash(SCRIPTS / "ctseg" / "report" / "templates"),
    message:
        "Writing the report of study {config[study]}"
    script:
        "../workflow_scripts/report.py"
