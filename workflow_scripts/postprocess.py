"""Postprocess the network's segmentation and measure its components."""

from ctseg.decisions import settings_from, values_of
from ctseg.files import read_json, write_json
from ctseg.inference.model_card import read_card_file
from ctseg.masks.components import volumes_cm3, write_components
from ctseg.masks.postprocessing import PostprocessSettings, postprocess_and_measure
from ctseg.scans.nifti import read_nifti, write_nifti
from job import job

with job(snakemake) as log:
    labels = list(read_card_file(snakemake.input.card).labels)
    settings = settings_from(values_of(read_json(snakemake.input.postprocessing)), PostprocessSettings)
    lungs = None
    plausible = False
    if "lungs" in snakemake.input.keys():  # noqa: SIM118 (Snakemake's Namedlist iterates over paths, not names)
        lungs = read_nifti(snakemake.input.lungs)
        plausible = read_json(snakemake.input.lungs_facts)["plausible"]
    entropy = read_nifti(snakemake.input.uncertainty)
    prediction, image = read_nifti(snakemake.input.prediction), read_nifti(snakemake.input.image)
    segmentation, components, facts = postprocess_and_measure(prediction, image, settings, lungs, plausible, entropy)
    log.info("%d components; %s", len(components), facts)
    write_nifti(segmentation, snakemake.output.segmentation)
    write_components(components, labels, snakemake.output.components)
    write_json(snakemake.output.facts, facts | {"volumes_cm3": volumes_cm3(components, labels)})
