# Provenance of results: the manifest of the whole study, its verification, and the RO-Crate.

MANIFEST = f"{RESULTS}/provenance/manifest.json"


rule manifest:
    """Manifest of every job that led to the study's results, with hashes of the files read and written."""
    input:
        [] if config["model"] else rules.export_model.output,
        rules.tabulate_metrics.output if STUDY.to_measure else [],
        rules.tabulate_segmentations.output,
        rules.report.output,
        expand(rules.write_dicom.output, case=STUDY.to_write),
    output:
        manifest=MANIFEST,
    log:
        f"{RESULTS}/logs/manifest/manifest.log",
    benchmark:
        f"{RESULTS}/benchmarks/manifest/manifest.tsv"
    localrule: True
    conda:
        "../envs/provenance.yaml"
    params:
        settings=settings(config=reported_config(config)),
        code=code("manifest.py"),
    message:
        "Writing the manifest"
    script:
        "../workflow_scripts/manifest.py"


rule verify:
    """Comparison of the results, and of the scans and labels that they were made from, with the manifest."""

    # No input, so that no file is made before the check, and no output and no benchmark, so that it always runs.
    log:
        f"{RESULTS}/logs/verify/verify.log",
    conda:
        "../envs/provenance.yaml"
    threads: config["resources"]["threads"]
    resources:
        runtime=minutes(60),
    params:
        settings=lambda wildcards: settings(
            card=CARD,
            manifest=MANIFEST,
            passing=expand(PASSING, case=STUDY.cases),
            provenance=PROVENANCE,
            sources=source_files(STUDY),
        ),
        code=code("verify.py"),
    message:
        "Comparing the results of {config[study]} with its manifest"
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
    resources:
        mem_mb=memory_mb(2),
    params:
        settings=settings(licence=config["report"]["licence"]),
        code=code("crate.py"),
    message:
        "Writing the study as an RO-Crate"
    script:
        "../workflow_scripts/crate.py"
