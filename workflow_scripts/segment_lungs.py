"""Find the lung field of a scan, or take the one that is given, and say whether it is plausible."""

from ctseg.files import write_json
from ctseg.lungs.given import read_lungs
from ctseg.lungs.segment import check_lungs, segment_lungs
from ctseg.scans.nifti import read_nifti, write_nifti
from job import job

with job(snakemake) as log:
    source = snakemake.input
    image = read_nifti(source.image)
    given = source.get("given")
    values = snakemake.params.settings["values"]
    lungs = read_lungs(given, image.grid, source.image, values) if given else segment_lungs(image)
    facts = {"source": "given" if given else "computed"} | check_lungs(lungs, image)
    log.info("lung field: %s", facts)
    write_nifti(lungs, snakemake.output.lungs)
    write_json(snakemake.output.facts, facts)
