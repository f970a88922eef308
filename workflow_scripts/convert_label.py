"""Convert a label of any accepted format to classes 1…n on the grid of its converted image, and write its facts."""

from ctseg.errors import InputError
from ctseg.files import read_json, write_json
from ctseg.labels.correction import as_segmented, correction_facts, mask_of_before
from ctseg.labels.read_label import LabelSettings, read_label
from ctseg.scans.nifti import read_nifti_grid, write_nifti
from job import job

with job(snakemake) as log:
    params, source = snakemake.params.settings, snakemake.input
    settings = LabelSettings(
        dict(params["labels"]),
        {label: tuple(names) for label, names in params["roi_names"].items()},
        params["missing_label"] == "allow",
        params["min_readers"],
        params["small_nodules"],
        params["overlap"],
        None if params["label_off_mm"] == "auto" else params["label_off_mm"],
        params["beyond_scan"],
        params["foreign_label"] == "allow",
        dicom_scan=bool(source.get("scan_facts")),  # only labels of DICOM scans have this input
    )
    scan_facts = read_json(source.scan_facts) if source.get("scan_facts") else {}
    grid = read_nifti_grid(source.image)
    relation = scan_facts.get("label_reference")
    series_uid = params["series_uid"]
    if not params.get("corrected"):
        label = read_label(source.label, settings, grid, source.image, series_uid, relation)
        facts = label.facts
    else:
        # The scan's facts have the relation of the former label to the scan; only the grid of a correction is checked.
        label = read_label(source.label, as_segmented(settings), grid, source.image, series_uid)
        before, compared_with = None, ""
        try:
            edited, drawn = source.get("edited"), source.get("replaced")
            before, compared_with = mask_of_before(edited, drawn, settings, grid, source.image, series_uid, relation)
        except InputError:  # perhaps the reason of the correction; the message may contain a path, so it is not logged
            log.warning("the mask of before cannot be read: its correction is used, and not compared with it")
        changes = correction_facts(label, before, list(settings.labels))
        facts = label.facts | {"correction": {"compared_with": compared_with, "labels": changes}}
    write_nifti(label, snakemake.output.label)
    write_json(snakemake.output.facts, facts)
    for name, found in label.facts["labels"].items():
        log.info("%s: %d voxels, %.3g cm³", name, found["voxels"], found["volume_cm3"])
    for warning in label.facts["warnings"]:
        log.warning("%s", warning)
