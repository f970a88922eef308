# Scans and labels of any format to NIfTI, on the scan's own grid.

# The label, if it may name the series in the scan's folder. Its modification time is ignored: convert_label raises an
# error if a changed label names another series than before.
REFERENCE = of_some(
    "reference", {case: ancient(path) for case, path in STUDY.with_reference.items()}
)
# The series UIDs that the case table or the archive names.
SERIES = [lambda case: STUDY.series.get(case, {})] if STUDY.series else []


rule convert_image:
    """A scan of any accepted format as NIfTI in HU, on its own grid."""
    input:
        *REFERENCE,
        *voxels_of("scan_voxels", STUDY.scans),
        scan=lambda wildcards: STUDY.cases[wildcards.case].image,
    output:
        image=f"{RESULTS}/images/{{case}}.nii.gz",
        facts=f"{RESULTS}/images/{{case}}.json",
    log:
        f"{RESULTS}/logs/convert_image/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/convert_image/{{case}}.tsv"
    conda:
        "../envs/convert.yaml"
    resources:
        mem_mb=memory_mb(2),
        # Not in the params: whether the study continues without a refused case changes no result of the others.
        go_on=int(STUDY.goes_on),
    params:
        settings=settings(
            irregular=config["convert"]["irregular"],
            kernels=config["convert"]["kernels"],
            rescale=config["convert"]["rescale"],
            series_uid=None,
            own=[
                *SERIES,
                *stopping(STUDY.to_report, f"{RESULTS}/images/{{case}}.json"),
            ],
        ),
        code=code("convert_image.py"),
    message:
        "Converting the scan of {wildcards.case}"
    script:
        "../workflow_scripts/convert_image.py"


# The facts of a scan, if they have its relation to the label.
SCAN_FACTS = of_some(
    "scan_facts",
    {case: f"{RESULTS}/images/{case}.json" for case in STUDY.with_reference},
)


# Of corrected labels: the former label, and the edited segmentation.
REPLACED_LABELS = of_some("replaced", STUDY.replaced_labels)
EDITED_SEGMENTATIONS = of_some("edited", STUDY.edited)
CORRECTED = (
    [lambda case: {"corrected": True} if case in STUDY.corrected else {}]
    if STUDY.corrected
    else []
)


rule convert_label:
    """A label of any accepted format on its scan's grid."""
    input:
        *SCAN_FACTS,
        *REPLACED_LABELS,
        *EDITED_SEGMENTATIONS,
        *voxels_of("label_voxels", STUDY.labels),
        label=lambda wildcards: STUDY.cases[wildcards.case].label,
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
    resources:
        mem_mb=memory_mb(2),
        go_on=int(STUDY.goes_on),
    params:
        settings=settings(
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
            series_uid=None,
            small_nodules=config["convert"]["small_nodules"],
            own=[
                *SERIES,
                *CORRECTED,
                *stopping(STUDY.with_label, f"{RESULTS}/labels/{{case}}.nii.gz"),
            ],
        ),
        code=code("convert_label.py"),
    message:
        "Converting the label of {wildcards.case}"
    script:
        "../workflow_scripts/convert_label.py"
