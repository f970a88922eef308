# In place of training: a model that was trained elsewhere, named by the config's key `model`.


rule adopt_model:
    """The given model, checked, with what it says of itself where the workflow looks for it."""
    input:
        **given_torchscript(),
        model=config["model"],
    output:
        **{name: TORCHSCRIPT for name in given_torchscript()},
        onnx=MODEL,
        card=CARD,
        cleaning=CLEANING,
        inference=INFERENCE,
    log:
        f"{RESULTS}/logs/adopt_model/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/adopt_model/model.tsv"
    localrule: True
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(1),
        runtime=minutes(10),
    params:
        step=step(labels=LABELS, measured=bool(cases_to_measure())),
        code=code("adopt_model.py"),
    message:
        "Taking over {config[model]}"
    script:
        "../workflow_scripts/adopt_model.py"
