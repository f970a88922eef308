"""Find the lung field of a scan, and say whether it is plausible."""

from ctseg.files import write_json
from ctseg.lungs import check_lungs, segment_lungs
from ctseg.volume import read_nifti, write_nifti
from job import job

with job(snakemake) as log:
    image = read_nifti(snakemake.input.image)
    lungs = segment_lungs(image)
    facts = check_lungs(lungs, image)
    log.info("lung field: %s", facts)
    write_nifti(lungs, snakemake.output.lungs)
    write_json(snakemake.output.facts, facts)
