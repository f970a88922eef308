"""Compare the segmentation of a case with its label, and with what a threshold alone would reach."""

from ctseg.baseline import threshold_baseline
from ctseg.decisions import values_of
from ctseg.files import read_json, write_text
from ctseg.lungs import plausible_lungs
from ctseg.metrics import case_metrics, columns
from ctseg.volume import read_nifti, require_same_grid
from job import job

with job(snakemake) as log:
    step = snakemake.params.step
    source = snakemake.input
    image, label, segmentation = (read_nifti(path) for path in (source.image, source.label, source.segmentation))
    require_same_grid(label.grid, segmentation.grid, source.label, source.segmentation)
    cleaning = values_of(read_json(source.cleaning))
    in_lungs = cleaning["region"] == "lungs"
    lungs = plausible_lungs(source.get("lungs"), source.get("lungs_facts")) if in_lungs else None
    place = [step["case"], step["split"], "" if step["fold"] is None else str(step["fold"])]
    tolerances_mm, formats = step["tolerances_mm"], columns(step["tolerances_mm"])
    rows = ["\t".join(["case", "split", "fold", "label", "state", *formats])]
    baseline = ["\t".join(["case", "split", "fold", "label", "threshold_hu", "dice"])]
    for value, name in enumerate(step["labels"], start=1):
        reference, found = label.voxels_zyx == value, segmentation.voxels_zyx == value
        metrics = case_metrics(reference, found, label.grid, tolerances_mm, step["lesion_iou"])
        log.info("%s: Dice %.4f (%s)", name, metrics["dice"], metrics["state"])
        values = [format(metrics[column], form) for column, form in formats.items()]
        rows.append("\t".join([*place, name, metrics["state"], *values]))
        thresholds_hu, smallest_mm3 = step["baseline_thresholds_hu"], cleaning["min_volume_mm3"]
        for threshold_hu, dice in threshold_baseline(image, reference, lungs, thresholds_hu, smallest_mm3).items():
            baseline.append("\t".join([*place, name, f"{threshold_hu:g}", f"{dice:.4f}"]))
    write_text(snakemake.output.metrics, "\n".join(rows) + "\n")
    write_text(snakemake.output.baseline, "\n".join(baseline) + "\n")
