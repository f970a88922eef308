"""Convert a scan of any accepted format to NIfTI in HU on its own grid, with the facts of its acquisition beside it."""

from ctseg.files import write_json
from ctseg.scan import read_scan
from ctseg.volume import write_nifti
from job import job

with job(snakemake) as log:
    source = snakemake.input.scan
    scan = read_scan(source, snakemake.params.step["series_uid"])
    write_nifti(scan.volume, snakemake.output.image)
    write_json(snakemake.output.facts, scan.facts)
    size = " x ".join(str(n) for n in scan.facts["size_xyz"])
    spacing = " x ".join(f"{value:.3g}" for value in scan.facts["spacing_xyz_mm"])
    log.info(
        "read %s as %s: %s voxels of %s mm, %d to %d HU",
        source,
        scan.facts["source_format"],
        size,
        spacing,
        scan.facts["hu_min"],
        scan.facts["hu_max"],
    )
    if scan.facts.get("series_passed_over"):
        log.info("other CT series in the folder, not used: %d", scan.facts["series_passed_over"])
