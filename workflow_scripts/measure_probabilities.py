"""Compute the lesions found over all thresholds (FROC) and the reliability of the probabilities of a case."""

from ctseg.decisions import settings_from, values_of
from ctseg.evaluation.probability_rows import FROC_COLUMNS, RELIABILITY_COLUMNS, froc_rows, reliability_rows
from ctseg.files import read_json, write_table
from ctseg.geometry.volume import require_same_grid
from ctseg.lungs.plausibility import plausible_lungs
from ctseg.masks.postprocessing import PostprocessSettings
from ctseg.scans.nifti import read_nifti
from job import job

with job(snakemake):
    params, source = snakemake.params.settings, snakemake.input
    label, low_threshold, probability = map(read_nifti, (source.label, source.low_threshold, source.probability))
    require_same_grid(label.grid, probability.grid, source.label, source.probability)
    postprocessing = values_of(read_json(source.postprocessing))
    settings = settings_from(postprocessing, PostprocessSettings)
    in_lungs = postprocessing["region"] == "lungs"
    lungs = plausible_lungs(source.get("lungs"), source.get("lungs_facts")) if in_lungs else None
    froc = list(froc_rows(label, low_threshold, probability, settings, postprocessing["threshold"], lungs, params))
    write_table(snakemake.output.froc, FROC_COLUMNS, froc)
    bins = list(reliability_rows(label, low_threshold, probability, params))
    write_table(snakemake.output.reliability, RELIABILITY_COLUMNS, bins)
