"""Compare the segmentation of a case with its label, and with what a threshold alone would reach."""

from ctseg.decisions import values_of
from ctseg.evaluation.case_metrics import case_metrics, columns
from ctseg.evaluation.threshold_baseline import threshold_baseline
from ctseg.files import read_json, write_table
from ctseg.geometry.volume import require_same_grid
from ctseg.lungs.segment import plausible_lungs
from ctseg.scans.nifti import read_nifti
from job import job

with job(snakemake) as log:
    params, source = snakemake.params.settings, snakemake.input
    image, label, segmentation = (read_nifti(path) for path in (source.image, source.label, source.segmentation))
    require_same_grid(label.grid, segmentation.grid, source.label, source.segmentation)
    cleaning = values_of(read_json(source.cleaning))
    in_lungs = cleaning["region"] == "lungs"
    lungs = plausible_lungs(source.get("lungs"), source.get("lungs_facts")) if in_lungs else None
    place = {name: params[name] for name in ("case", "split", "fold")}
    rows, baseline = [], []
    for value, name in enumerate(params["labels"], start=1):
        reference, found = label.voxels_zyx == value, segmentation.voxels_zyx == value
        metrics = case_metrics(reference, found, label.grid, params["tolerances_mm"], params["lesion_iou"])
        log.info("%s: Dice %.4f (%s)", name, metrics["dice"], metrics["state"])
        rows.append({**place, "label": name, **metrics})
        thresholds_hu, smallest_mm3 = params["baseline_thresholds_hu"], cleaning["min_volume_mm3"]
        for threshold_hu, dice in threshold_baseline(image, reference, lungs, thresholds_hu, smallest_mm3).items():
            baseline.append({**place, "label": name, "threshold_hu": threshold_hu, "dice": dice})
    where = dict.fromkeys([*place, "label"], "")
    write_table(snakemake.output.metrics, where | {"state": ""} | columns(params["tolerances_mm"]), rows)
    write_table(snakemake.output.baseline, where | {"threshold_hu": "g", "dice": ".4f"}, baseline)
