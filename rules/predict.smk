# From a scan and the exported model to a segmentation on the scan's own grid.


rule infer:
    """A scan segmented with the exported model, on the scan's own grid."""
    input:
        unpack(lungs_of),
        unpack(int8_model),
        image=rules.convert_image.output.image,
        inference=rules.choose_variant.output.inference,
        model=rules.export_model.output.onnx,
        torchscript=rules.export_model.output.torchscript,
    output:
        **CERTAINTY,
        **UNCERTAINTY,
        prediction=f"{RESULTS}/predictions/{{case}}.nii.gz",
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
        gpu=config["infer"]["gpus"],
    params:
        step=step(
            batch_size=config["infer"]["batch_size"],
            engine=config["infer"]["engine"],
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
        cleaning=rules.tune.output.cleaning,
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
        step=step(labels=LABELS),
        code=code("postprocess.py"),
    message:
        "Cleaning and measuring the components of {wildcards.case}"
    script:
        "../workflow_scripts/postprocess.py"
