# Scans and labels of any format to NIfTI, on the scan's own grid.


rule convert_image:
    """A scan of any accepted format as NIfTI in HU, on its own grid."""
    input:
        unpack(reference_of),
        scan=lambda wildcards: CASES[wildcards.case].image,
    output:
        image=f"{RESULTS}/images/{{case}}.nii.gz",
        facts=f"{RESULTS}/images/{{case}}.json",
    log:
        f"{RESULTS}/logs/convert_image/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/convert_image/{{case}}.tsv"
    conda:
        "../envs/convert.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(2),
        runtime=minutes(15),
        # No param: whether the study ends without a refused case changes no result of the others.
        go_on=GO_ON,
    params:
        step=lambda wildcards: step(
            irregular=config["convert"]["irregular"],
            kernels=config["convert"]["kernels"],
            rescale=config["convert"]["rescale"],
            series_uid=CASES[wildcards.case].series_uid,
            **stopping(f"{RESULTS}/images/{wildcards.case}.json"),
        ),
        code=code("convert_image.py"),
    message:
        "Converting the scan of {wildcards.case}"
    script:
        "../workflow_scripts/convert_image.py"


rule convert_label:
    """A label of any accepted format on its scan's grid."""
    input:
        unpack(scan_facts_of),
        label=lambda wildcards: CASES[wildcards.case].label,
        image=rules.convert_image.output.image,
    output:
        label=f"{RESULTS}/labels/{{case}}.nii.gz",
        facts=f"{RESULTS}/labels/{{case}}.json",
    log:
        f"{RESULTS}/logs/convert_label/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/convert_label/{{case}}.tsv"
    conda:
        "../envs/convert.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(2),
        runtime=minutes(15),
        go_on=GO_ON,
    params:
        step=lambda wildcards: step(
            beyond_scan=config["convert"]["beyond_scan"],
            foreign_label=config["convert"]["foreign_label"],
            label_off_mm=config["convert"]["label_off_mm"],
            # A list: the order of the labels sets the model's classes, and Snakemake sorts dicts.
            labels=[
                [name, value] for name, value in config["target"]["labels"].items()
            ],
            min_readers=config["convert"]["min_readers"],
            missing_label=config["convert"]["missing_label"],
            overlap=config["target"]["overlap"],
            roi_names={
                label: [names] if isinstance(names, str) else names
                for label, names in config["target"]["roi_names"].items()
            },
            series_uid=CASES[wildcards.case].series_uid,
            small_nodules=config["convert"]["small_nodules"],
            **stopping(f"{RESULTS}/labels/{wildcards.case}.nii.gz"),
        ),
        code=code("convert_label.py"),
    message:
        "Converting the label of {wildcards.case}"
    script:
        "../workflow_scripts/convert_label.py"
