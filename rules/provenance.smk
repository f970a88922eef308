# Where results come from: what the model was made from, the manifest of the whole study, and the check of both.

MANIFEST = f"{RESULTS}/provenance/manifest.json"


rule manifest:
    """Every job that led to the study's results, with hashes of all that was read and written."""
    input:
        [] if config["model"] else rules.export_model.output,
        rules.tabulate_metrics.output if cases_to_measure() else [],
        rules.tabulate_segmentations.output,
        rules.report.output,
        expand(rules.write_dicom.output, case=cases_for_dicom()),
    output:
        manifest=MANIFEST,
    log:
        f"{RESULTS}/logs/manifest/manifest.log",
    benchmark:
        f"{RESULTS}/benchmarks/manifest/manifest.tsv"
    localrule: True
    conda:
        "../envs/provenance.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(1),
        runtime=minutes(10),
    params:
        step=step(config=reported_config()),
        code=code("manifest.py"),
    message:
        "Writing the manifest"
    script:
        "../workflow_scripts/manifest.py"


rule verify:
    """The results, and the scans and labels that they were made from, against the manifest."""

    # No input, so that nothing is made before it is verified, and no output nor benchmark, so that it always runs.
    log:
        f"{RESULTS}/logs/verify/verify.log",
    conda:
        "../envs/provenance.yaml"
    threads: config["resources"]["threads"]
    resources:
        mem_mb=memory_mb(1),
        runtime=minutes(60),
    params:
        step=lambda wildcards: step(
            card=CARD,
            manifest=MANIFEST,
            passing=passing_files(),
            provenance=PROVENANCE,
            sources=sources(),
        ),
        code=code("verify.py"),
    message:
        "Comparing the results of {STUDY} with its manifest"
    script:
        "../workflow_scripts/verify.py"


rule crate:
    """The study's folder as a Workflow Run RO-Crate."""
    input:
        manifest=MANIFEST,
    output:
        metadata=f"{RESULTS}/ro-crate-metadata.json",
        workflow=directory(f"{RESULTS}/provenance/workflow"),
    log:
        f"{RESULTS}/logs/crate/crate.log",
    benchmark:
        f"{RESULTS}/benchmarks/crate/crate.tsv"
    conda:
        "../envs/provenance.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(2),
        runtime=minutes(10),
    params:
        step=step(licence=config["report"]["licence"]),
        code=code("crate.py"),
    message:
        "Writing the study as an RO-Crate"
    script:
        "../workflow_scripts/crate.py"
