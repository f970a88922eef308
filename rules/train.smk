# Training: one job a fold.


rule train:
    """The weights of one fold, and its learning curve."""
    input:
        cases=fold_inputs,
        plan=rules.plan.output.plan,
    output:
        weights=f"{RESULTS}/folds/{{fold}}/weights.pt",
        history=f"{RESULTS}/folds/{{fold}}/history.tsv",
    log:
        f"{RESULTS}/logs/train/{{fold}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{fold}}.tsv"
    conda:
        "../envs/train.yaml"
    threads: config["resources"]["threads"]
    resources:
        mem_mb=memory_mb(8),
        runtime=minutes(24 * 60),
        gpu=1,
    params:
        # No output: Snakemake deletes the outputs of a failed job, and this is what a retry resumes from.
        checkpoint=f"{RESULTS}/folds/{{fold}}/checkpoint.pt",
        step=fold_params,
        code=code("train.py"),
    message:
        "Training fold {wildcards.fold}"
    script:
        "../workflow_scripts/train.py"
