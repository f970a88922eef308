# The choices that are made on out-of-fold cases: threshold, postprocessing, windows, precision.


rule export_fold:
    """The networks of one fold, for evaluation on the cases that they were not trained on."""
    input:
        weights=lambda wildcards: expand(
            rules.train.output.weights, member=STUDY.members_of(int(wildcards.fold))
        ),
        plan=rules.plan.output.plan,
    output:
        onnx=f"{RESULTS}/folds/{{fold}}/model.onnx",
        torchscript=f"{RESULTS}/folds/{{fold}}/model.ts",
    log:
        f"{RESULTS}/logs/export_fold/{{fold}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/export_fold/{{fold}}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 2
    resources:
        mem_mb=memory_mb(4),
        runtime=minutes(30),
    params:
        settings=settings(
            labels=LABELS,
            margin_mm=config["plan"]["margin_mm"],
            network=config["network"],
            patients=STUDY.patients(STUDY.in_split("train")),
            phantom=STUDY.of_phantoms,
        ),
        code=code("export_fold.py"),
    message:
        "Exporting fold {wildcards.fold}"
    script:
        "../workflow_scripts/export_fold.py"


# The model with networks that were not trained on a case, for every engine.
MODEL_OUT_OF_FOLD = {
    name: lambda wildcards, path=path: path.format(
        fold=STUDY.out_of_fold[wildcards.case]
    )
    for name, path in {
        "model": f"{RESULTS}/folds/{{fold}}/model.onnx",
        "torchscript": f"{RESULTS}/folds/{{fold}}/model.ts",
        "int8": f"{RESULTS}/folds/{{fold}}/model.int8.onnx",
    }.items()
}


rule validate:
    """A case segmented with the model that was not trained on it, and its Dice with each trial of postprocessing."""
    input:
        **LUNGS,
        model=MODEL_OUT_OF_FOLD["model"],
        torchscript=MODEL_OUT_OF_FOLD["torchscript"],
        image=rules.convert_image.output.image,
        label=rules.convert_label.output.label,
        plan=rules.plan.output.plan,
    output:
        low_threshold=f"{RESULTS}/out_of_fold/{{case}}.nii.gz",
        probability=f"{RESULTS}/out_of_fold/probability/{{case}}.nii.gz",
        scores=f"{RESULTS}/out_of_fold/{{case}}.tsv",
    log:
        f"{RESULTS}/logs/validate/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/validate/{{case}}.tsv"
    conda:
        "../envs/predict.yaml"
    threads: config["resources"]["threads"]
    resources:
        mem_mb=memory_mb(4),
        runtime=minutes(30),
        gpu=INFER_GPUS,
        cases_per_job=CASES_PER_JOB,
    params:
        settings=settings(
            batch_size=config["infer"]["batch_size"],
            engine=config["infer"]["engine"],
            gpu_memory_gib=config["infer"]["gpu_memory_gib"],
            labels=LABELS,
            postprocess=config["postprocess"],
        ),
        code=code("validate.py"),
    script:
        "../workflow_scripts/validate.py"


TUNED = "auto" in [
    config["postprocess"][key]
    for key in ("threshold", "min_volume_mm3", "keep_largest")
]


rule tune:
    """Threshold and postprocessing: values given in the config, and for `auto` the best values on out-of-fold cases."""
    input:
        **(
            {"scores": expand(rules.validate.output.scores, case=STUDY.out_of_fold)}
            if TUNED
            else {}
        ),
        plan=rules.plan.output.plan,
    output:
        postprocessing=POSTPROCESSING,
        tried=f"{RESULTS}/model/tuning.tsv",
    log:
        f"{RESULTS}/logs/tune/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/tune/model.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        settings=settings(postprocess=config["postprocess"]),
        code=code("tune.py"),
    message:
        "Choosing threshold and postprocessing"
    script:
        "../workflow_scripts/tune.py"


rule quantize:
    """A model of 8-bit integers, made from the model of a fold or the final model."""
    input:
        cases=lambda wildcards: [
            path
            for case in STUDY.calibration_cases(wildcards.part)
            for path in expand(PREPARED, case=case)
        ],
        model=f"{RESULTS}/{{part}}/model.onnx",
    output:
        int8=f"{RESULTS}/{{part}}/model.int8.onnx",
    log:
        f"{RESULTS}/logs/quantize/{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/quantize/{{part}}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 2
    resources:
        mem_mb=memory_mb(4),
        runtime=minutes(30),
    params:
        settings=lambda wildcards: settings(
            cases=STUDY.calibration_cases(wildcards.part),
            prepared=f"{RESULTS}/preprocessed",
            seed=config["seed"],
        ),
        code=code("quantize.py"),
    message:
        "Making a model of 8-bit integers of {wildcards.part}"
    script:
        "../workflow_scripts/quantize.py"


rule compare_variants:
    """A case segmented with different windows, overlaps, engines and precisions, with time and Dice of each."""
    input:
        **LUNGS,
        **MODEL_OUT_OF_FOLD,
        image=rules.convert_image.output.image,
        label=rules.convert_label.output.label,
        postprocessing=rules.tune.output.postprocessing,
    output:
        compared=f"{RESULTS}/variants/{{case}}.tsv",
    log:
        f"{RESULTS}/logs/compare_variants/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_variants/{{case}}.tsv"
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
            flip_axes="".join(config["augment"]["flip_axes"]),
            memory_gib=config["infer"]["memory_gib"],
            overlap=config["infer"]["overlap"],
        ),
        code=code("compare_variants.py"),
    script:
        "../workflow_scripts/compare_variants.py"


rule choose_variant:
    """Windows, overlap and precision: values given in the config, and for `auto` the cheapest with the same quality."""
    input:
        **(
            {
                "compared": expand(
                    rules.compare_variants.output.compared, case=STUDY.compared
                )
            }
            if STUDY.compared
            else {}
        ),
    output:
        inference=INFERENCE,
        variants=report(
            f"{RESULTS}/model/variants.tsv",
            category="Model",
            labels={"table": "Ways to infer"},
            caption="report/variants.rst",
        ),
    log:
        f"{RESULTS}/logs/choose_variant/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/choose_variant/model.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        settings=settings(
            mirror_axes=config["infer"]["mirror_axes"],
            overlap=config["infer"]["overlap"],
            precision=config["infer"]["precision"],
            window=config["infer"]["window"],
        ),
        code=code("choose_variant.py"),
    message:
        "Choosing windows, overlap and precision"
    script:
        "../workflow_scripts/choose_variant.py"
