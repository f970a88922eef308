# The files that are shipped: one model, whatever the number of networks, and the choices that are made for it on cases
# that a network was not trained on.


rule export_fold:
    """The networks of one fold, to be judged on the cases that they were not trained on."""
    input:
        weights=weights_of_fold,
        plan=rules.plan.output.plan,
    output:
        onnx=f"{RESULTS}/folds/{{fold}}/model.onnx",
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
            overlap=config["infer"]["overlap"],
            training_cases=len(in_split("train")),
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
        image=rules.convert_image.output.image,
        label=rules.convert_label.output.label,
        model=lambda wildcards: f"{RESULTS}/folds/{out_of_fold()[wildcards.case]}/model.onnx",
        plan=rules.plan.output.plan,
    output:
        classes=f"{RESULTS}/out_of_fold/{{case}}.nii.gz",
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
    params:
        step=step(
            batch_size=config["infer"]["batch_size"],
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
        cleaning=f"{RESULTS}/model/postprocess.json",
        tried=f"{RESULTS}/model/tuning.tsv",
    log:
        f"{RESULTS}/logs/tune/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/tune/model.tsv"
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


rule export_model:
    """The model as ONNX and TorchScript, compared with what was trained."""
    input:
        weights=expand(rules.train.output.weights, member=MEMBERS),
        cleaning=rules.tune.output.cleaning,
        plan=rules.plan.output.plan,
    output:
        onnx=f"{RESULTS}/model/model.onnx",
        torchscript=f"{RESULTS}/model/model.ts",
        parity=f"{RESULTS}/model/parity.json",
    log:
        f"{RESULTS}/logs/export_model/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/export_model/model.tsv"
    conda:
        "../envs/train.yaml"
    threads: 2
    resources:
        mem_mb=memory_mb(4),
        runtime=minutes(30),
    params:
        step=step(
            "export_model",
            labels=LABELS,
            margin_mm=config["plan"]["margin_mm"],
            network=config["network"],
            overlap=config["infer"]["overlap"],
            seed=config["seed"],
            training_cases=len(in_split("train")),
        ),
        code=code("export_model.py"),
    message:
        "Exporting the model and comparing it with what was trained"
    script:
        "../workflow_scripts/export_model.py"
