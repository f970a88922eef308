"""Clean the network's segmentation and measure its components."""

from dataclasses import fields

from ctseg.decisions import values_of
from ctseg.files import read_json, write_json
from ctseg.masks.components import measure_components, write_components
from ctseg.masks.postprocessing import PostprocessSettings, postprocess
from ctseg.scans.nifti import read_nifti, write_nifti
from job import job

with job(snakemake) as log:
    labels = read_json(snakemake.input.card)["labels"]
    cleaning = values_of(read_json(snakemake.input.cleaning))
    settings = PostprocessSettings(**{field.name: cleaning[field.name] for field in fields(PostprocessSettings)})
    region = None
    plausible = False
    if "lungs" in snakemake.input.keys():  # noqa: SIM118 (Snakemake's Namedlist iterates over paths, not names)
        region = read_nifti(snakemake.input.lungs)
        plausible = read_json(snakemake.input.lungs_facts)["plausible"]
    segmentation, facts = postprocess(read_nifti(snakemake.input.prediction), settings, region, plausible)
    uncertainty = snakemake.input.get("uncertainty")
    entropy = read_nifti(uncertainty) if uncertainty else None
    components = measure_components(segmentation, read_nifti(snakemake.input.image), entropy)
    log.info("%d components; %s", len(components), facts)
    write_nifti(segmentation, snakemake.output.segmentation)
    write_components(components, labels, snakemake.output.components)
    write_json(snakemake.output.facts, facts)
