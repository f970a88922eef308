"""Measure the segmentation of a case against its label, and plain HU thresholds as baseline."""

from ctseg.decisions import values_of
from ctseg.evaluation.case_rows import BASELINE_COLUMNS, baseline_rows, metric_columns, metric_rows
from ctseg.evaluation.lesion_rows import LESION_COLUMNS, lesion_rows
from ctseg.files import read_json, write_table
from ctseg.geometry.volume import require_same_grid
from ctseg.lungs.plausibility import plausible_lungs
from ctseg.scans.nifti import read_nifti
from job import job

with job(snakemake) as log:
    params, source = snakemake.params.settings, snakemake.input
    image, label, segmentation = (read_nifti(path) for path in (source.image, source.label, source.segmentation))
    require_same_grid(label.grid, segmentation.grid, source.label, source.segmentation)
    postprocessing = values_of(read_json(source.postprocessing))
    in_lungs = postprocessing["region"] == "lungs"
    lungs = plausible_lungs(source.get("lungs"), source.get("lungs_facts")) if in_lungs else None
    rows = list(metric_rows(label, segmentation, params))
    for row in rows:
        log.info("%s: Dice %.4f (%s)", row["label"], row["dice"], row["state"])
    write_table(snakemake.output.metrics, metric_columns(params["tolerances_mm"]), rows)
    write_table(snakemake.output.lesions, LESION_COLUMNS, lesion_rows(label, segmentation, image, params))
    baseline = list(baseline_rows(image, label, lungs, params, postprocessing["min_volume_mm3"]))
    write_table(snakemake.output.baseline, BASELINE_COLUMNS, baseline)
