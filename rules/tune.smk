# The choices that are made on cases that a network was not trained on: threshold, postprocessing, windows, precision.


rule export_fold:
    """The networks of one fold, to be judged on the cases that they were not trained on."""
    input:
        weights=weights_of_fold,
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
        step=step(
            labels=LABELS,
            margin_mm=config["plan"]["margin_mm"],
            network=config["network"],
            training_cases=in_split("train"),
        ),
        code=code("export_fold.py"),
    message:
        "Exporting fold {wildcards.fold}"
    script:
        "../workflow_scripts/export_fold.py"


rule validate:
    """A case segmented with the model that was not trained on it, and its Dice with each candidate of postprocessing."""
    input:
        unpack(lungs_of),
        unpack(model_out_of_fold),
        image=rules.convert_image.output.image,
        label=rules.convert_label.output.label,
        plan=rules.plan.output.plan,
    output:
        candidates=f"{RESULTS}/out_of_fold/{{case}}.nii.gz",
        certainty=f"{RESULTS}/out_of_fold/certainty/{{case}}.nii.gz",
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
        step=step(
            batch_size=config["infer"]["batch_size"],
            engine=config["infer"]["engine"],
            gpu_memory_gib=config["infer"]["gpu_memory_gib"],
            labels=LABELS,
            postprocess=config["postprocess"],
        ),
        code=code("validate.py"),
    message:
        "Trying thresholds and postprocessing on {wildcards.case}"
    script:
        "../workflow_scripts/validate.py"


rule tune:
    """Threshold and postprocessing: what the config gives, and of what it leaves open what was best out of training."""
    input:
        **(
            {"scores": expand(rules.validate.output.scores, case=out_of_fold())}
            if TUNED
            else {}
        ),
        plan=rules.plan.output.plan,
    output:
        cleaning=CLEANING,
        tried=f"{RESULTS}/model/tuning.tsv",
    log:
        f"{RESULTS}/logs/tune/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/tune/model.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(1),
        runtime=minutes(10),
    params:
        step=step(postprocess=config["postprocess"]),
        code=code("tune.py"),
    message:
        "Choosing threshold and postprocessing"
    script:
        "../workflow_scripts/tune.py"


rule quantize:
    """A model of 8-bit integers, from that of a fold or the final one."""
    input:
        cases=calibration_inputs,
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
        step=calibration_params,
        code=code("quantize.py"),
    message:
        "Making a model of 8-bit integers of {wildcards.part}"
    script:
        "../workflow_scripts/quantize.py"


rule compare_variants:
    """A case segmented in every way that may be cheaper: windows, overlap, engine, precision, with time and Dice."""
    input:
        unpack(lungs_of),
        unpack(model_out_of_fold),
        image=rules.convert_image.output.image,
        label=rules.convert_label.output.label,
        int8=lambda wildcards: f"{RESULTS}/folds/{out_of_fold()[wildcards.case]}/model.int8.onnx",
        cleaning=rules.tune.output.cleaning,
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
        step=step(
            batch_size=config["infer"]["batch_size"],
            engine=config["infer"]["engine"],
            gpu_memory_gib=config["infer"]["gpu_memory_gib"],
            flip_axes="".join(config["augment"]["flip_axes"]),
            memory_gib=config["infer"]["memory_gib"],
            overlap=config["infer"]["overlap"],
        ),
        code=code("compare_variants.py"),
    message:
        "Timing ways to segment {wildcards.case}"
    script:
        "../workflow_scripts/compare_variants.py"


rule choose_variant:
    """Windows, overlap and precision: what the config gives, and of what it leaves open the cheapest that is as good."""
    input:
        **(
            {"compared": expand(rules.compare_variants.output.compared, case=COMPARED)}
            if COMPARED
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
    threads: 1
    resources:
        mem_mb=memory_mb(1),
        runtime=minutes(10),
    params:
        step=step(
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
