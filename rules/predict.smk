# From a scan and the exported model to a segmentation on the scan's own grid.


# The model of 8-bit integers, if the precision may be int8.
INT8 = (
    {"int8": f"{RESULTS}/model/model.int8.onnx"}
    if STUDY.trains and config["infer"]["precision"] in ("auto", "int8")
    else {}
)
# Maps in addition to the prediction, if they are requested.
PROBABILITIES = (
    ["low_threshold", "probability"] if config["measure"]["probabilities"] else []
)
# The entropy of all voxels if it is requested, else only of the voxels in the prediction, for the means of components.
UNCERTAINTY, KEPT = (
    ("uncertainty", str)
    if config["infer"]["uncertainty"]
    else ("uncertainty_of_found", passing)
)


rule infer:
    """A scan segmented with the exported model, on the scan's own grid."""
    input:
        **LUNGS,
        **INT8,
        **SHIPPED_TORCHSCRIPT,
        image=rules.convert_image.output.image,
        inference=INFERENCE,
        model=MODEL,
    output:
        **{
            name: passing(f"{RESULTS}/predictions/{name}/{{case}}.nii.gz")
            for name in PROBABILITIES
        },
        **{UNCERTAINTY: KEPT(f"{RESULTS}/predictions/{UNCERTAINTY}/{{case}}.nii.gz")},
        prediction=passing(f"{RESULTS}/predictions/{{case}}.nii.gz"),
    log:
        f"{RESULTS}/logs/infer/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/infer/{{case}}.tsv"
    conda:
        "../envs/predict.yaml"
    threads: config["resources"]["threads"]
    resources:
        mem_mb=memory_mb(3 + config["infer"]["memory_gib"]),
        runtime=minutes(30),
        gpu=INFER_GPUS,
        cases_per_job=CASES_PER_JOB,
    params:
        settings=settings(
            batch_size=config["infer"]["batch_size"],
            engine=config["infer"]["engine"],
            gpu_memory_gib=config["infer"]["gpu_memory_gib"],
            memory_gib=config["infer"]["memory_gib"],
            probabilities=config["measure"]["probabilities"],
            uncertainty=config["infer"]["uncertainty"],
        ),
        code=code("infer.py"),
    script:
        "../workflow_scripts/infer.py"


rule postprocess:
    """The postprocessed segmentation, and its components."""
    input:
        **LUNGS,
        card=CARD,
        postprocessing=POSTPROCESSING,
        prediction=rules.infer.output.prediction,
        image=rules.convert_image.output.image,
        uncertainty=rules.infer.output[UNCERTAINTY],
    output:
        segmentation=f"{RESULTS}/segmentations/{{case}}.nii.gz",
        components=f"{RESULTS}/segmentations/{{case}}.tsv",
        facts=f"{RESULTS}/segmentations/{{case}}.json",
    log:
        f"{RESULTS}/logs/postprocess/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/postprocess/{{case}}.tsv"
    conda:
        "../envs/predict.yaml"
    resources:
        mem_mb=memory_mb(2),
    params:
        code=code("postprocess.py"),
    script:
        "../workflow_scripts/postprocess.py"


rule tabulate_segmentations:
    """Tables of the components found in all cases, and of the quality flags of each case."""
    input:
        **LUNGS_OF_SEGMENTED,
        card=CARD,
        facts=expand(rules.convert_image.output.facts, case=STUDY.to_segment),
        components=expand(rules.postprocess.output.components, case=STUDY.to_segment),
        postprocessed=expand(rules.postprocess.output.facts, case=STUDY.to_segment),
    output:
        scans=report(
            f"{RESULTS}/segmentations.tsv",
            category="Results",
            labels={"table": "Segmentations"},
            caption="report/segmentations.rst",
        ),
        components=f"{RESULTS}/components.tsv",
    log:
        f"{RESULTS}/logs/tabulate_segmentations/segmentations.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_segmentations/segmentations.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        settings=settings(cases=STUDY.to_segment),
        code=code("tabulate_segmentations.py"),
    message:
        "Tabulating what was found"
    script:
        "../workflow_scripts/tabulate_segmentations.py"


rule write_dicom:
    """The segmentation as DICOM SEG, RTSTRUCT and measurement report of the scan's own series, patient and study."""
    input:
        *REFERENCE,
        card=CARD,
        image=rules.convert_image.output.image,
        model=MODEL,
        scan=lambda wildcards: STUDY.cases[wildcards.case].image,
        segmentation=rules.postprocess.output.segmentation,
    output:
        seg=f"{RESULTS}/dicom/{{case}}/seg.dcm",
        rtstruct=f"{RESULTS}/dicom/{{case}}/rtstruct.dcm",
        report=f"{RESULTS}/dicom/{{case}}/report.dcm",
    log:
        f"{RESULTS}/logs/write_dicom/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_dicom/{{case}}.tsv"
    conda:
        "../envs/dicom.yaml"
    resources:
        mem_mb=memory_mb(2),
    params:
        settings=settings(
            kernels=config["convert"]["kernels"],
            series_uid=None,
            own=SERIES,
        ),
        code=code("write_dicom.py"),
    message:
        "Writing DICOM objects of {wildcards.case}"
    script:
        "../workflow_scripts/write_dicom.py"
