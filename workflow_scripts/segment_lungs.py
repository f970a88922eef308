"""Segment the lung field of a scan, or read a given one, and check whether it is plausible."""

from ctseg.files import read_json, write_json
from ctseg.lungs.given import read_lungs
from ctseg.lungs.plausibility import check_lungs
from ctseg.lungs.segment import segment_lungs
from ctseg.scans.nifti import read_nifti, write_nifti
from job import job

with job(snakemake) as log:
    source = snakemake.input
    image = read_nifti(source.image)
    given = source.get("given")
    params, card = snakemake.params.settings, source.get("card")
    if given:
        lungs = read_lungs(given, image.grid, source.image, params["values"])
        facts = {"source": "given"} | check_lungs(lungs, image)
    else:
        method = read_json(card).get("lungs", "threshold") if card else params["method"]
        lungs, found = segment_lungs(image, method)
        facts = {"source": "computed"} | found
    log.info("lung field: %s", facts)
    write_nifti(lungs, snakemake.output.lungs)
    write_json(snakemake.output.facts, facts)
