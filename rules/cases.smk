# Cases: phantoms are made here; the cases of a folder, table or archive exist already.


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
    resources:
        mem_mb=memory_mb(1),
    params:
        settings=settings(
            seed=config["seed"],
            spacing_mm=config["cases"]["phantom"]["spacing_mm"],
            slice_distance_mm=config["cases"]["phantom"]["slice_distance_mm"],
            nodules=config["cases"]["phantom"]["nodules"],
            # The number at the end of the case's name.
            own=[lambda case: {"index": int(case.rpartition("-")[2])}],
        ),
        code=code("make_phantom.py"),
    script:
        "../workflow_scripts/make_phantom.py"
