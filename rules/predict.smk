# From a scan and the exported model to a segmentation on the scan's own grid.


rule infer:
    """A scan segmented with the exported model, on the scan's own grid."""
    input:
        unpack(lungs_of),
        unpack(int8_model),
        **torchscript(),
        image=rules.convert_image.output.image,
        inference=INFERENCE,
        model=MODEL,
    output:
        **{name: passing(path) for name, path in CERTAINTY.items()},
        **UNCERTAINTY,
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
        step=step(
            batch_size=config["infer"]["batch_size"],
            engine=config["infer"]["engine"],
            gpu_memory_gib=config["infer"]["gpu_memory_gib"],
            memory_gib=config["infer"]["memory_gib"],
            probabilities=config["measure"]["probabilities"],
            uncertainty=config["infer"]["uncertainty"],
        ),
        code=code("infer.py"),
    message:
        "Segmenting {wildcards.case}"
    script:
        "../workflow_scripts/infer.py"


rule postprocess:
    """The segmentation without what is outside or too small, and its components."""
    input:
        unpack(lungs_of),
        **UNCERTAINTY,
        card=CARD,
        cleaning=CLEANING,
        prediction=rules.infer.output.prediction,
        image=rules.convert_image.output.image,
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
    threads: 1
    resources:
        mem_mb=memory_mb(2),
        runtime=minutes(15),
    params:
        step={},
        code=code("postprocess.py"),
    message:
        "Cleaning and measuring the components of {wildcards.case}"
    script:
        "../workflow_scripts/postprocess.py"


rule tabulate_segmentations:
    """What was found in all cases, and what is unusual about each."""
    input:
        **lungs_facts(cases_to_segment()),
        card=CARD,
        facts=expand(rules.convert_image.output.facts, case=cases_to_segment()),
        components=expand(rules.postprocess.output.components, case=cases_to_segment()),
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
    threads: 1
    resources:
        mem_mb=memory_mb(1),
        runtime=minutes(10),
    params:
        step=step(cases=cases_to_segment()),
        code=code("tabulate_segmentations.py"),
    message:
        "Tabulating what was found"
    script:
        "../workflow_scripts/tabulate_segmentations.py"


rule write_dicom:
    """The segmentation as DICOM SEG, RTSTRUCT and measurement report of the scan's own series, patient and study."""
    input:
        card=CARD,
        image=rules.convert_image.output.image,
        model=MODEL,
        scan=lambda wildcards: CASES[wildcards.case].image,
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
    threads: 1
    resources:
        mem_mb=memory_mb(2),
        runtime=minutes(15),
    params:
        step=lambda wildcards: step(
            kernels=config["convert"]["kernels"],
            series_uid=CASES[wildcards.case].series_uid,
        ),
        code=code("write_dicom.py"),
    message:
        "Writing DICOM objects of {wildcards.case}"
    script:
        "../workflow_scripts/write_dicom.py"
