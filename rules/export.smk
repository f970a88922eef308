# The files that are shipped: one model for any number of networks.


rule trace_model:
    """Provenance of the model, down to the scans."""
    input:
        facts=expand(rules.convert_image.output.facts, case=STUDY.to_train),
        weights=expand(rules.train.output.weights, member=STUDY.members),
        postprocessing=rules.tune.output.postprocessing,
        plan=rules.plan.output.plan,
    output:
        provenance=PROVENANCE,
    log:
        f"{RESULTS}/logs/trace_model/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/trace_model/model.tsv"
    localrule: True
    conda:
        "../envs/provenance.yaml"
    params:
        code=code("trace_model.py"),
    message:
        "Writing down what the model is made from"
    script:
        "../workflow_scripts/trace_model.py"


rule export_model:
    """The model as ONNX and TorchScript, compared with the trained networks."""
    input:
        facts=expand(rules.convert_image.output.facts, case=STUDY.to_train),
        weights=expand(rules.train.output.weights, member=STUDY.members),
        postprocessing=rules.tune.output.postprocessing,
        inference=rules.choose_variant.output.inference,
        plan=rules.plan.output.plan,
        provenance=rules.trace_model.output.provenance,
    output:
        onnx=MODEL,
        torchscript=TORCHSCRIPT,
        card=CARD,
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
        gpu=INFER_GPUS,
    params:
        settings=settings(
            "export_model",
            labels=LABELS,
            **({"lungs": config["lungs"]["method"]} if STUDY.in_lungs else {}),
            margin_mm=config["plan"]["margin_mm"],
            network=config["network"],
            seed=config["seed"],
            patients=STUDY.patients(STUDY.in_split("train")),
            phantom=STUDY.of_phantoms,
        ),
        code=code("export_model.py"),
    message:
        "Exporting the model and comparing it with what was trained"
    script:
        "../workflow_scripts/export_model.py"


rule bundle:
    """The model as a MONAI bundle, made on demand."""
    input:
        torchscript=TORCHSCRIPT,
    output:
        bundle=directory(f"{RESULTS}/model/bundle"),
    log:
        f"{RESULTS}/logs/bundle/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/bundle/model.tsv"
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=memory_mb(4),
    params:
        settings=settings(licence=config["report"]["licence"]),
        code=code("bundle.py"),
    message:
        "Writing the model as a MONAI bundle"
    script:
        "../workflow_scripts/bundle.py"
