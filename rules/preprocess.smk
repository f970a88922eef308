# Lung field, plan, and the volumes that training reads.


rule segment_lungs:
    """The lung field of a scan, found or given, and whether it is plausible."""
    input:
        unpack(given_lungs),
        image=rules.convert_image.output.image,
    output:
        lungs=f"{RESULTS}/lungs/{{case}}.nii.gz",
        facts=f"{RESULTS}/lungs/{{case}}.json",
    log:
        f"{RESULTS}/logs/segment_lungs/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/segment_lungs/{{case}}.tsv"
    conda:
        "../envs/preprocess.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(2),
        runtime=minutes(15),
        go_on=GO_ON,
    params:
        step=lambda wildcards: step(
            values=LUNG_VALUES.get(config["cases"]["source"]),
            **stopping(f"{RESULTS}/lungs/{wildcards.case}.json"),
        ),
        code=code("segment_lungs.py"),
    message:
        "Finding the lung field of {wildcards.case}"
    script:
        "../workflow_scripts/segment_lungs.py"


rule fingerprint:
    """The facts of a training case that the plan is made from."""
    input:
        unpack(lungs_of),
        image=rules.convert_image.output.image,
        label=rules.convert_label.output.label,
    output:
        fingerprint=f"{RESULTS}/fingerprints/{{case}}.json",
    log:
        f"{RESULTS}/logs/fingerprint/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fingerprint/{{case}}.tsv"
    conda:
        "../envs/preprocess.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(2),
        runtime=minutes(10),
    params:
        step=step(n_classes=len(LABELS)),
        code=code("fingerprint.py"),
    message:
        "Taking the fingerprint of {wildcards.case}"
    script:
        "../workflow_scripts/fingerprint.py"


rule plan:
    """Voxel size, HU window, patch and batch size, resolved from the training cases."""
    input:
        expand(rules.fingerprint.output.fingerprint, case=cases_to_train()),
    output:
        plan=f"{RESULTS}/plan.json",
    log:
        f"{RESULTS}/logs/plan/plan.log",
    benchmark:
        f"{RESULTS}/benchmarks/plan/plan.tsv"
    localrule: not PLAN_FOLLOWS_DEVICE
    conda:
        "../envs/preprocess.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(1),
        runtime=minutes(10),
        gpu=config["train"]["gpus"] if PLAN_FOLLOWS_DEVICE else 0,
    params:
        step=step(
            "plan",
            n_cases=len(cases_to_train()),
            region=config["target"]["region"],
            **{key: config["network"][key] for key in PLANNED},
        ),
        code=code("plan.py"),
    message:
        "Resolving the plan from {params.step[n_cases]} training cases"
    script:
        "../workflow_scripts/plan.py"


rule preprocess:
    """A case as the network sees it: cropped, resampled, clipped."""
    input:
        unpack(lungs_of),
        image=rules.convert_image.output.image,
        label=rules.convert_label.output.label,
        plan=rules.plan.output.plan,
    output:
        image=passing(f"{RESULTS}/preprocessed/{{case}}/image.nii"),
        label=passing(f"{RESULTS}/preprocessed/{{case}}/label.nii"),
        foreground=passing(f"{RESULTS}/preprocessed/{{case}}/foreground.npz"),
    log:
        f"{RESULTS}/logs/preprocess/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/preprocess/{{case}}.tsv"
    conda:
        "../envs/preprocess.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(3),
        runtime=minutes(15),
    params:
        step=step(
            margin_mm=config["plan"]["margin_mm"],
            n_classes=len(LABELS),
            seed=config["seed"],
        ),
        code=code("preprocess.py"),
    message:
        "Preparing {wildcards.case} for training"
    script:
        "../workflow_scripts/preprocess.py"
