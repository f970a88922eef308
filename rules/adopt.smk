# Instead of training: a model that was trained elsewhere, named by the config's key `model`.


GIVEN_TORCHSCRIPT = {"torchscript": STUDY.torchscript} if STUDY.torchscript else {}


rule adopt_model:
    """The given model, checked, with its card and settings as the files that the other rules read."""
    input:
        **GIVEN_TORCHSCRIPT,
        model=config["model"],
    output:
        **{name: TORCHSCRIPT for name in GIVEN_TORCHSCRIPT},
        onnx=MODEL,
        card=CARD,
        postprocessing=POSTPROCESSING,
        inference=INFERENCE,
    log:
        f"{RESULTS}/logs/adopt_model/model.log",
    benchmark:
        f"{RESULTS}/benchmarks/adopt_model/model.tsv"
    localrule: True
    conda:
        "../envs/train.yaml"
    params:
        settings=settings(labels=LABELS, measured=bool(STUDY.to_measure)),
        code=code("adopt_model.py"),
    message:
        "Taking over {config[model]}"
    script:
        "../workflow_scripts/adopt_model.py"
