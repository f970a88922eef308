"""Segment a case with the model that was not trained on it, in different settings, with time and Dice of each."""

from pathlib import Path

from ctseg.decisions import values_of
from ctseg.files import read_json, write_table
from ctseg.inference.case_settings import settings_of
from ctseg.lungs.plausibility import plausible_lungs
from ctseg.scans.nifti import read_nifti
from ctseg.tuning.variant_trials import FORMATS, Case, Trials
from job import job

with job(snakemake):
    params, found = snakemake.params.settings, snakemake.input
    how = settings_of(params, snakemake.resources, snakemake.threads)
    trials = Trials(Path(found.model), Path(found.int8), how, values_of(read_json(found.postprocessing)))
    lungs = plausible_lungs(found.get("lungs"), found.get("lungs_facts"))
    case = Case(read_nifti(found.image), read_nifti(found.label), lungs)
    rows = trials.rows(snakemake.wildcards.case, case, params["flip_axes"], params["overlap"])
    write_table(snakemake.output.compared, FORMATS, rows)
