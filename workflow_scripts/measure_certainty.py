"""Lesions found over all thresholds, and how far the network's probabilities of a case can be believed."""

from dataclasses import fields

from ctseg.decisions import values_of
from ctseg.evaluation.calibration import BINS, SUMS, reliability
from ctseg.evaluation.froc import COUNTS, lesion_counts
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
    settings = PostprocessSettings(**{field.name: cleaning[field.name] for field in fields(PostprocessSettings)})
    in_lungs = cleaning["region"] == "lungs"
    lungs = plausible_lungs(source.get("lungs"), source.get("lungs_facts")) if in_lungs else None
    names, place = params["labels"], {name: params[name] for name in ("case", "split", "fold")}
    counts = lesion_counts(label, candidates, certainty, settings, lungs, params["lesion_iou"], len(names))
    froc = [{**row, **place, "label": names[row["label"] - 1]} for row in counts]
    bins = []
    for value, name in enumerate(names, start=1):
        masks = (volume.voxels_zyx == value for volume in (label, candidates))
        for number, sums in enumerate(reliability(*masks, certainty.voxels_zyx, label.grid)):
            bins.append({**place, "label": name, "bin": f"{number / BINS:g}", **dict(zip(SUMS, sums, strict=True))})
    where = dict.fromkeys([*place, "label"], "")
    write_table(snakemake.output.froc, where | {"threshold": "g"} | dict.fromkeys(COUNTS, "d"), froc)
    write_table(snakemake.output.reliability, where | {"bin": ""} | SUMS, bins)
