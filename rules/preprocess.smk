# Lung field, plan, and the volumes that training reads.

from ctseg.file_hash import sha256_of
from ctseg.lungs.network_file import LUNG_NETWORK
from ctseg.network.kinds import follows_device
from ctseg.study.archives import LUNG_VALUES

# The method of the lung field, unless a given model defines it, and the hash of the network that it may use.
LUNG_METHOD = {"method": config["lungs"]["method"]} if STUDY.trains else {}
if LUNG_METHOD != {"method": "threshold"} and STUDY.in_lungs:
    LUNG_METHOD["network"] = sha256_of(LUNG_NETWORK)


rule segment_lungs:
    """The lung field of a scan, computed or given, and whether it is plausible."""
    input:
        *of_some("given", STUDY.lungs),
        *voxels_of("given_voxels", STUDY.lungs),
        **({} if STUDY.trains else {"card": CARD}),
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
    resources:
        mem_mb=memory_mb(2),
        go_on=int(STUDY.goes_on),
    params:
        settings=settings(
            **LUNG_METHOD,
            values=LUNG_VALUES.get(config["cases"]["source"]),
            own=stopping(STUDY.to_report, f"{RESULTS}/lungs/{{case}}.json"),
        ),
        code=code("segment_lungs.py"),
    message:
        "Finding the lung field of {wildcards.case}"
    script:
        "../workflow_scripts/segment_lungs.py"


# For studies inside the lungs: lung field and its facts of one case, and the facts of several cases.
LUNGS = (
    {
        "lungs": rules.segment_lungs.output.lungs,
        "lungs_facts": rules.segment_lungs.output.facts,
    }
    if STUDY.in_lungs
    else {}
)
LUNGS_OF_REPORTED, LUNGS_OF_SEGMENTED = (
    {name: expand(path, case=cases) for name, path in LUNGS.items() if name != "lungs"}
    for cases in (STUDY.to_report, STUDY.to_segment)
)


rule fingerprint:
    """The facts of a training case that the plan is made from."""
    input:
        **LUNGS,
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
    resources:
        mem_mb=memory_mb(2),
    params:
        settings=settings(n_classes=len(LABELS)),
        code=code("fingerprint.py"),
    script:
        "../workflow_scripts/fingerprint.py"


# The plan is made on the training machine if it depends on the device there, else by the main process.
PLAN_FOLLOWS_DEVICE = follows_device(config["plan"], config["network"])
# Keys of the section network on which the plan depends.
PLANNED = (
    "architecture",
    "channels",
    "stem",
    "strides",
    "kernel_sizes",
)


rule plan:
    """Voxel size, HU window, patch and batch size, resolved from the training cases."""
    input:
        expand(rules.fingerprint.output.fingerprint, case=STUDY.to_train),
    output:
        plan=f"{RESULTS}/plan.json",
    log:
        f"{RESULTS}/logs/plan/plan.log",
    benchmark:
        f"{RESULTS}/benchmarks/plan/plan.tsv"
    localrule: not PLAN_FOLLOWS_DEVICE
    conda:
        "../envs/preprocess.yaml"
    resources:
        gpu=config["train"]["gpus"] if PLAN_FOLLOWS_DEVICE else 0,
    params:
        settings=settings(
            "plan",
            n_cases=len(STUDY.to_train),
            region=config["target"]["region"],
            **{key: config["network"][key] for key in PLANNED},
        ),
        code=code("plan.py"),
    message:
        "Resolving the plan from {params.settings[n_cases]} training cases"
    script:
        "../workflow_scripts/plan.py"


rule preprocess:
    """A case as input of the network: cropped, resampled, clipped."""
    input:
        **LUNGS,
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
    resources:
        mem_mb=memory_mb(3),
    params:
        settings=settings(
            margin_mm=config["plan"]["margin_mm"],
            n_classes=len(LABELS),
            seed=config["seed"],
        ),
        code=code("preprocess.py"),
    script:
        "../workflow_scripts/preprocess.py"


# The files of a case on which a network is trained.
PREPARED = list(rules.preprocess.output)
