"""All parts of a study's report, from the files of its results."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from markupsafe import Markup

from ctseg.decisions import Stored
from ctseg.evaluation.summary import read_tables
from ctseg.file_hash import sha256_of
from ctseg.files import read_json
from ctseg.inference.model_card import ModelCard, read_card_file
from ctseg.plurals import counted
from ctseg.report.cohort import read_cohort
from ctseg.report.content import (
    caption,
    cautions,
    costs,
    headline,
    headline_split,
    looked_through,
    pictured,
    shown_cases,
    shown_summary,
    training_speeds,
    versions,
    worst_first,
)
from ctseg.report.html import decision_table, photograph, svg, table
from ctseg.report.methods_text import methods
from ctseg.report.slice_viewer import preview
from ctseg.scans.nifti import read_nifti

SECTIONS = {
    "summary": "Summary",
    "cohort": "Cohort",
    "quality": "Quality control",
    "training": "Training",
    "results": "Results",
    "model": "Model card",
    "methods": "Methods",
}
FIGURES = {
    "dice": "Dice of each case, by split and by the size of the target.",
    "volumes": "Volumes, equal on the line, and their difference with its mean and 95 % limits of agreement.",
    "froc": "Lesions found against false lesions, over the thresholds; high ones leave too little of each lesion.",
    "calibration": "Share of target voxels at each probability, within 10 mm of the target's box.",
}


def gather(source: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the template; `source` has the paths of the results by name, `params` are those of the rule.

    Parts on training are empty if the model is from another study, those on metrics if no case has a label.
    """
    cohort, card = read_cohort(source.cohort), read_card_file(source.card)
    cases = read_tables([source.cases]) if source.get("cases") else None
    measured = [] if cases is None else list(dict.fromkeys(worst_first(cases)["case"]))
    figures = dict(zip(params["segmented"], source.case_figures, strict=True))
    chosen = pictured(measured, [case for case in figures if case not in measured], params["pictures"])
    made = {name: read_json(source.get(name)) for name in ("plan", "postprocessing", "inference") if source.get(name)}
    # A scan whose label was refused is segmented, but neither trained on nor tested with.
    told_of = cohort[~cohort["case"].isin(_refused(source)["case"])] if "plan" in made else cohort
    paragraphs, references = methods(params["config"], made, told_of, card, cases is not None)
    links = {case: f"#case-{case}" for case in chosen}
    return {
        "study": params["study"],
        "sections": SECTIONS,
        "pictures": [_picture(case, figures[case], cases) for case in chosen],
        "pictures_text": f" {len(chosen)} of {len(figures)} cases are shown." if len(chosen) < len(figures) else "",
        "previews": _previews(source, params, cases, card.preparation.window_hu),
        "card_table": _card_table(card, source.model, params),
        "postprocessing_table": decision_table(made["postprocessing"]),
        "inference_table": decision_table(made["inference"]),
        "methods": paragraphs,
        "references": references,
        "cost_table": table(costs(Path(params["benchmarks"])), sortable=True),
        "software_table": table(versions(card.versions)),
        "configuration": yaml.safe_dump(params["config"], allow_unicode=True, sort_keys=False),
        **_on_scans(source, params, cohort, links),
        **_on_training(source, params, made),
        **_on_metrics(source, params, cases, links),
        **_front_page(source, params, cohort, card, cases),
    }


def _on_scans(source: Any, params: Mapping[str, Any], cohort: pd.DataFrame, links: Mapping[str, str]) -> dict[str, Any]:
    """The parts on the scans, and on what is unusual about them; those with a flag come first."""
    scans = pd.read_csv(source.scans, sep="\t", dtype={"case": str, "flags": str}, keep_default_na=False)
    refused = _refused(source)
    over = pd.read_csv(source.passed_over, sep="\t", dtype={"case": str})
    labels = pd.read_csv(source.label_table, sep="\t", dtype={"case": str, "label": str}, keep_default_na=False)
    return {
        "cohort_text": _cohort_text(cohort),
        "cohort_figure": svg(source.cohort_figure),
        "cohort_table": table(cohort.dropna(axis="columns", how="all"), sortable=True),
        "passed_over": over,
        "passed_over_table": table(over),
        "label_table": table(labels, sortable=True) if len(labels) else "",
        "label_notes": Path(source.label_notes).read_text(encoding="utf-8").splitlines(),
        "excluded": params["excluded"],
        "refused_table": table(refused) if len(refused) else "",
        "scans_table": table(scans.sort_values("flags", key=lambda flags: flags == "", kind="stable"), links, True),
    }


def _refused(source: Any) -> pd.DataFrame:
    """The cases that were refused, with the reason of each."""
    return pd.read_csv(source.refused, sep="\t", dtype=str, keep_default_na=False)


def _on_refused(source: Any) -> list[str]:
    """A caution if cases were refused."""
    refused = _refused(source)["case"].nunique()
    text = f"{counted(refused, 'case')} refused: scan or label is unusable; the section Cohort gives the reason."
    return [text] if refused else []


def _on_training(source: Any, params: Mapping[str, Any], made: Mapping[str, Stored]) -> dict[str, Any]:
    """The parts on the study's own networks; empty if the model is from another study."""
    if not source.get("members"):
        parts = ("training_speeds", "training_figure", "members_table", "parity_table", "plan_table", "variants_table")
        return dict.fromkeys(parts, "")
    variants = pd.read_csv(source.variants, sep="\t", keep_default_na=False)
    return {
        "training_speeds": training_speeds(Path(params["logs"]) / "train"),
        "training_figure": svg(source.training),
        "members_table": table(pd.read_csv(source.members, sep="\t", dtype={"network": str})),
        "parity_table": table(pd.DataFrame(read_json(source.parity)["sizes"])),
        "plan_table": decision_table(made["plan"]),
        "variants_table": table(variants) if len(variants) else "",
    }


def _on_metrics(
    source: Any, params: Mapping[str, Any], cases: pd.DataFrame | None, links: Mapping[str, str]
) -> dict[str, Any]:
    """The parts on metrics; empty if no case has a label."""
    if cases is None:
        return {"result_figures": {}, "case_table": "", "summary_table": "", "note": ""}
    return {
        "result_figures": {FIGURES[name]: svg(source.get(name)) for name in FIGURES if source.get(name)},
        "case_table": table(shown_cases(cases), links, sortable=True),
        "summary_table": table(shown_summary(read_tables([source.summary])), sortable=True),
        "note": Path(source.note).read_text(encoding="utf-8"),
    }


def _front_page(
    source: Any, params: Mapping[str, Any], cohort: pd.DataFrame, card: ModelCard, cases: pd.DataFrame | None
) -> dict[str, Any]:
    """Summary, headline figures and cautions."""
    facts = source.get("lungs_facts", []) if card.preparation.region == "lungs" else []
    plausible = {Path(path).stem: bool(read_json(path)["plausible"]) for path in facts}
    split = "" if cases is None else headline_split(cases)
    networks = _networks(source.members) if source.get("members") else None
    origin = params["config"]["cases"]["source"]
    return {
        "summary": _summary(cohort, card, cases, split, networks is None),
        "headline": {} if cases is None else headline(read_tables([source.summary]), split),
        "headline_split": split,
        "cautions": [*_on_refused(source), *cautions(cases, cohort, split, origin, networks, plausible)],
    }


def _networks(path: str) -> dict[str, float]:
    """The validation Dice of each network of the study."""
    members = pd.read_csv(path, sep="\t", dtype={"network": str})
    alone = members[members["fold"].notna()]  # not the rows of their mean and spread
    return dict(zip(alone["network"], alone["validation_dice"], strict=True))


def _summary(cohort: pd.DataFrame, card: ModelCard, cases: pd.DataFrame | None, split: str, given: bool) -> str:
    """Summary of the study, in one or two sentences."""
    networks = "A 3-D network" if card.n_networks == 1 else f"An ensemble of {card.n_networks} 3-D networks"
    targets = ", ".join(card.labels)
    scans, patients = counted(len(cohort), "CT scan"), counted(cohort["patient"].nunique(), "patient")
    done = f"{networks} was trained on {card.training_cases} of {scans} of {patients} to segment {targets}."
    if given:
        done = (
            f"A model that was trained on {card.training_cases} other scans segmented {targets} in {scans} of "
            f"{patients}."
        )
    if cases is None:
        return f"{done} None of them has a label, so nothing was measured."
    measured = counted(cases.loc[cases["split"] == split, "case"].nunique(), "scan")
    return (
        f"{done} It was measured on {measured} of the split “{split}”, on the grid of each scan, with the exported "
        "model file itself."
    )


def _cohort_text(cohort: pd.DataFrame) -> str:
    """How many scans and patients each split has."""
    parts = [
        f"{split}: {counted(len(rows), 'scan')} of {counted(rows['patient'].nunique(), 'patient')}"
        for split, rows in cohort.groupby("split")
    ]
    return "; ".join(parts) + ". No patient is in two splits."


def _picture(case: str, path: str, cases: pd.DataFrame | None) -> dict[str, Any]:
    """A case's picture with its caption."""
    rows = None if cases is None else cases[cases["case"] == case]
    text = case if rows is None or rows.empty else f"{case} ({rows['split'].iloc[0]}): {caption(rows)}"
    return {"case": case, "image": photograph(path, text), "caption": text}


def _previews(
    source: Any, params: Mapping[str, Any], cases: pd.DataFrame | None, window_hu: tuple[float, float]
) -> Markup:
    """The volumes of the slice viewer as JSON; empty if none are wanted."""
    files = dict(zip(params["segmented"], zip(source.images, source.segmentations, strict=True), strict=True))
    labels = dict(zip(params["measured"], source.get("labels", []), strict=True))
    chosen = (
        looked_through(cases, params["viewer_cases"]) if cases is not None else list(files)[: params["viewer_cases"]]
    )
    volumes = []
    for case in chosen:
        image, segmentation = (read_nifti(path) for path in files[case])
        label = read_nifti(labels[case]) if case in labels else None
        name = case if cases is None else f"{case}: {caption(cases[cases['case'] == case])}"
        volumes.append({"name": name, **preview(image, segmentation, label, window_hu)})
    # Within a script element only the end of that element has a meaning.
    return Markup(json.dumps(volumes).replace("</", "<\\/")) if volumes else Markup("")


def _card_table(card: ModelCard, model: str, params: Mapping[str, Any]) -> Markup:
    """The model card: intended use, input, output, and hash of the file."""
    prepared, multiple = card.preparation, " × ".join(map(str, card.multiple_zyx))
    classes = card.labels
    rows = {
        "intended use": params["intended_use"],
        "not for": "diagnosis or treatment: research software, not a medical device",
        "licence": params["licence"],
        "input": "one CT scan in HU; DICOM, NIfTI, NRRD or MetaImage, any orientation and spacing",
        "output": f"a mask of {', '.join(classes)} on the scan's own grid; a table of components",
        "network's input": f"`hu`, float32 [batch, 1, z, y, x] at {list(prepared.spacing_xyz_mm)} mm (x, y, z); "
        f"sizes are multiples of {multiple}",
        "network's output": f"`probabilities`, float32 [batch, {len(classes)}, z, y, x]: {', '.join(classes)}",
        "region": prepared.region,
        "training data": f"{card.training_cases} scans; hash {card.training_hash[:16]}",
        "networks": str(card.n_networks),
        "file": f"model/model.onnx, {Path(model).stat().st_size / 2**20:.1f} MiB",
        "SHA-256": sha256_of(model),
    }
    return table(pd.DataFrame({"field": rows.keys(), "value": rows.values()}))
