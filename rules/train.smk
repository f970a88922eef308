# Training: one job per network, one network for each fold and repeat.


# The weights to start from, if they are given.
START = {"init": config["train"]["init_from"]} if config["train"]["init_from"] else {}
# Settings of training that change no weights, or are passed in another way.
UNUSED = ("repeats", "gpus", "init_from")


rule train:
    """The weights of one network, and its learning curve."""
    input:
        **START,
        cases=lambda wildcards: [
            path
            for cases in map(
                STUDY.trained_on(wildcards.member).get, ("training", "validation")
            )
            for path in expand(PREPARED, case=cases)
        ],
        plan=rules.plan.output.plan,
    output:
        weights=f"{RESULTS}/folds/{{member}}/weights.pt",
        history=f"{RESULTS}/folds/{{member}}/history.tsv",
    log:
        f"{RESULTS}/logs/train/{{member}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{member}}.tsv"
    conda:
        "../envs/train.yaml"
    threads: config["resources"]["threads"]
    resources:
        # Each GPU has a process of its own.
        mem_mb=memory_mb(4 + 4 * config["train"]["gpus"]),
        runtime=minutes(24 * 60),
        gpu=config["train"]["gpus"],
    params:
        # Not an output, because Snakemake deletes the outputs of a failed job, and a retry resumes from this file.
        checkpoint=f"{RESULTS}/folds/{{member}}/checkpoint.pt",
        settings=lambda wildcards: settings(
            augment=config["augment"],
            labels=LABELS,
            network=config["network"],
            seed=config["seed"],
            train={
                key: value
                for key, value in config["train"].items()
                if key not in UNUSED
            },
            **STUDY.trained_on(wildcards.member),
        ),
        code=code("train.py"),
    message:
        "Training network {wildcards.member}"
    script:
        "../workflow_scripts/train.py"


rule tabulate_training:
    """The best validation Dice of each network, and their spread."""
    input:
        history=expand(rules.train.output.history, member=STUDY.members),
    output:
        members=report(
            f"{RESULTS}/metrics/members.tsv",
            category="Training",
            labels={"table": "Networks"},
            caption="report/members.rst",
        ),
    log:
        f"{RESULTS}/logs/tabulate_training/members.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_training/members.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        settings=settings(members=STUDY.members),
        code=code("tabulate_training.py"),
    message:
        "Tabulating the networks"
    script:
        "../workflow_scripts/tabulate_training.py"


rule plot_training:
    """Learning curves of all networks."""
    input:
        history=expand(rules.train.output.history, member=STUDY.members),
    output:
        figure=report(
            f"{RESULTS}/figures/training.svg",
            category="Training",
            labels={"figure": "Learning curves"},
            caption="report/training.rst",
        ),
    log:
        f"{RESULTS}/logs/plot_training/training.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_training/training.tsv"
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        code=code("plot_training.py"),
    message:
        "Plotting the learning curves"
    script:
        "../workflow_scripts/plot_training.py"
