"""Lesions found over all thresholds, and how far the network's probabilities of a case can be believed."""

from ctseg.decisions import settings_from, values_of
from ctseg.evaluation.probability_rows import FROC_COLUMNS, RELIABILITY_COLUMNS, froc_rows, reliability_rows
from ctseg.files import read_json, write_table
from ctseg.geometry.volume import require_same_grid
from ctseg.lungs.segment import plausible_lungs
from ctseg.masks.postprocessing import PostprocessSettings
from ctseg.scans.nifti import read_nifti
from job import job

with job(snakemake):
    params, source = snakemake.params.settings, snakemake.input
    label, candidates, certainty = (read_nifti(path) for path in (source.label, source.candidates, source.certainty))
    require_same_grid(label.grid, certainty.grid, source.label, source.certainty)
    cleaning = values_of(read_json(source.cleaning))
    settings = settings_from(cleaning, PostprocessSettings)
    in_lungs = cleaning["region"] == "lungs"
    lungs = plausible_lungs(source.get("lungs"), source.get("lungs_facts")) if in_lungs else None
    froc = list(froc_rows(label, candidates, certainty, settings, lungs, params))
    write_table(snakemake.output.froc, FROC_COLUMNS, froc)
    bins = list(reliability_rows(label, candidates, certainty, params))
    write_table(snakemake.output.reliability, RELIABILITY_COLUMNS, bins)
