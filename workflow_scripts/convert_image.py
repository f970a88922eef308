"""Convert a scan of any accepted format to NIfTI in HU on its own grid, and write the facts of its acquisition."""

from ctseg.files import write_json
from ctseg.scans.nifti import write_nifti
from ctseg.scans.read_scan import read_scan
from ctseg.scans.scan_warnings import passed_over
from job import job

with job(snakemake) as log:
    params = snakemake.params.settings
    source, rescale = snakemake.input, params.get("rescale")
    label = source.get("reference")
    scan = read_scan(source.scan, params["series_uid"], params["kernels"], params["irregular"], rescale, label)
    write_nifti(scan.volume, snakemake.output.image)
    write_json(snakemake.output.facts, scan.facts)
    size = " x ".join(str(n) for n in scan.facts["size_xyz"])
    spacing = " x ".join(f"{value:.3g}" for value in scan.facts["spacing_xyz_mm"])
    hu = f"{scan.facts['hu_min']} to {scan.facts['hu_max']} HU"
    log.info("%s: %s voxels of %s mm, %s", scan.facts["source_format"], size, spacing, hu)
    for line in passed_over(scan.facts):
        log.info("%s", line)
    for warning in scan.facts["warnings"]:
        log.warning("%s", warning)
