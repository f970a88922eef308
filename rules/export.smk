# The files that are shipped: one model, whatever the number of networks.


rule export_model:
    """The model as ONNX and TorchScript, compared with what was trained."""
    input:
        facts=expand(rules.convert_image.output.facts, case=cases_to_train()),
        weights=expand(rules.train.output.weights, member=MEMBERS),
        cleaning=rules.tune.output.cleaning,
        inference=rules.choose_variant.output.inference,
        plan=rules.plan.output.plan,
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
    params:
        step=step(
            "export_model",
            labels=LABELS,
            margin_mm=config["plan"]["margin_mm"],
            network=config["network"],
            seed=config["seed"],
            training_cases=len(in_split("train")),
        ),
        code=code("export_model.py"),
    message:
        "Exporting the model and comparing it with what was trained"
    script:
        "../workflow_scripts/export_model.py"
