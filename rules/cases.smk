# Where cases come from. Those of a folder or a table are there already; phantoms are made.


rule make_phantom:
    """One patient of the built-in phantom, as DICOM with labels."""
    output:
        series=directory(f"{RESULTS}/phantom/{{case}}/dicom"),
        rtstruct=f"{RESULTS}/phantom/{{case}}/rtstruct.dcm",
        label=f"{RESULTS}/phantom/{{case}}/label.nii.gz",
    log:
        f"{RESULTS}/logs/make_phantom/{{case}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_phantom/{{case}}.tsv"
    conda:
        "../envs/convert.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb(1),
        runtime=minutes(10),
    params:
        step=lambda wildcards: phantom_params(wildcards.case),
        code=code("make_phantom.py"),
    message:
        "Making phantom patient {wildcards.case}"
    script:
        "../workflow_scripts/make_phantom.py"
