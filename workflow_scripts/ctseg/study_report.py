"""All parts of a study's report, from the files of its results."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from markupsafe import Markup

from ctseg.cohort import read_cohort
from ctseg.files import read_json
from ctseg.methods import methods
from ctseg.preview import preview
from ctseg.report import decision_table, photograph, svg, table
from ctseg.report_content import (
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
)
from ctseg.tables import read_tables
from ctseg.volume import read_nifti

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
    "volumes": "Volumes: equal on the line; and their difference with its mean and 95 % limits of agreement.",
    "froc": "Lesions found against false ones as the threshold moves.",
    "calibration": "Share of target voxels at each probability, within 10 mm of the target's box.",
}


def gather(source: Any, step: Mapping[str, Any]) -> dict[str, Any]:
    """What the template shows; `source` has the paths of the results by name, `step` the study's params."""
    cases, summary = read_tables([source.cases]), read_tables([source.summary])
    cohort, card = read_cohort(source.cohort), read_json(source.card)
    split = headline_split(cases)
    plausible = {Path(path).stem: bool(read_json(path)["plausible"]) for path in source.get("lungs_facts", [])}
    config = step["config"]
    made = {name: read_json(source.get(name)) for name in ("plan", "cleaning", "inference")}
    paragraphs, references = methods(config, **made, cohort=cohort, versions=card["versions"])
    figures = dict(zip(step["segmented"], source.case_figures, strict=True))
    chosen = pictured(cases, [case for case in figures if case not in set(cases["case"])], step["pictures"])
    notes = cautions(cases, cohort, split, config["cases"]["source"], card["n_networks"], plausible)
    over = pd.read_csv(source.passed_over, sep="\t", dtype={"case": str})
    return {
        "study": step["study"],
        "sections": SECTIONS.items(),
        "summary": _summary(cohort, card, cases, split),
        "headline": headline(summary, split),
        "headline_split": split,
        "cautions": notes,
        "cohort_text": _cohort_text(cohort),
        "cohort_figure": svg(source.cohort_figure),
        "cohort_table": table(cohort.dropna(axis="columns", how="all"), sortable=True),
        "passed_over": over,
        "passed_over_table": table(over),
        "excluded": step["excluded"],
        "pictures": [_picture(case, figures[case], cases) for case in chosen],
        "pictures_text": f" {len(chosen)} of {len(figures)} cases are shown." if len(chosen) < len(figures) else "",
        "previews": _previews(source, step, cases, split, tuple(made["plan"]["window_hu"]["value"])),
        "training_speeds": training_speeds(Path(step["logs"]) / "train"),
        "training_figure": svg(source.training),
        "members_table": table(pd.read_csv(source.members, sep="\t", dtype={"network": str})),
        "result_figures": {FIGURES[name]: svg(source.get(name)) for name in FIGURES if source.get(name)},
        "case_table": table(shown_cases(cases), {case: f"#case-{case}" for case in chosen}, sortable=True),
        "summary_table": table(shown_summary(summary), sortable=True),
        "note": Path(source.note).read_text(encoding="utf-8"),
        "card_table": _card_table(card, source.model, step),
        "parity_table": table(pd.DataFrame(read_json(source.parity)["sizes"])),
        "cleaning_table": decision_table(made["cleaning"]),
        "inference_table": decision_table(made["inference"]),
        "variants_table": _variants_table(source.variants),
        "methods": paragraphs,
        "references": references,
        "plan_table": decision_table(made["plan"]),
        "cost_table": table(costs(Path(step["benchmarks"])), sortable=True),
        "software_table": table(versions(card["versions"])),
        "configuration": yaml.safe_dump(config, allow_unicode=True, sort_keys=False),
    }


def _summary(cohort: pd.DataFrame, card: Mapping[str, Any], cases: pd.DataFrame, split: str) -> str:
    """What was done, in a sentence or two."""
    networks = "A 3-D network" if card["n_networks"] == 1 else f"An ensemble of {card['n_networks']} 3-D networks"
    measured = cases.loc[cases["split"] == split, "case"].nunique()
    return (
        f"{networks} was trained on {card['training_cases']} of {len(cohort)} CT scans of "
        f"{cohort['patient'].nunique()} patients to segment {', '.join(card['labels'])}. It was measured on {measured} "
        f"scans of the split “{split}”, on the grid of each scan, with the very model file that is shipped."
    )


def _cohort_text(cohort: pd.DataFrame) -> str:
    """How many scans and patients each split has."""
    parts = [
        f"{split}: {len(rows)} scans of {rows['patient'].nunique()} patients" for split, rows in cohort.groupby("split")
    ]
    return "; ".join(parts) + ". No patient is in two splits."


def _picture(case: str, path: str, cases: pd.DataFrame) -> dict[str, Any]:
    """A case's picture with its caption."""
    rows = cases[cases["case"] == case]
    split = f" ({rows['split'].iloc[0]})" if len(rows) else ""
    text = f"{case}{split}: {caption(rows)}"
    return {"case": case, "image": photograph(path, text), "caption": text}


def _previews(
    source: Any, step: Mapping[str, Any], cases: pd.DataFrame, split: str, window_hu: tuple[float, float]
) -> Markup:
    """The volumes to look through as JSON; empty where none are wanted."""
    paths = dict(
        zip(step["measured"], zip(source.images, source.segmentations, source.labels, strict=True), strict=True)
    )
    volumes = []
    for case in looked_through(cases, split, step["viewer_cases"]):
        image, segmentation, label = (read_nifti(path) for path in paths[case])
        name = f"{case}: {caption(cases[cases['case'] == case])}"
        volumes.append({"name": name, **preview(image, segmentation, label, window_hu)})
    # Within a script element only the end of that element has a meaning.
    return Markup(json.dumps(volumes).replace("</", "<\\/")) if volumes else Markup("")


def _variants_table(path: str) -> Markup:
    """The ways to infer that were compared; empty where none were."""
    rows = pd.read_csv(path, sep="\t", keep_default_na=False)
    return table(rows) if len(rows) else Markup("")


def _card_table(card: Mapping[str, Any], model: str, step: Mapping[str, Any]) -> Markup:
    """The model card: what the model is for, what goes in and comes out, and how to know the file."""
    prepared, multiple = card["preparation"], " × ".join(map(str, card["multiple_zyx"]))
    classes: Sequence[str] = card["labels"]
    rows = {
        "intended use": step["intended_use"],
        "not for": "diagnosis or treatment: research software, not a medical device",
        "licence": step["licence"],
        "input": "one CT scan in HU; DICOM, NIfTI, NRRD or MetaImage, any orientation and spacing",
        "output": f"a mask of {', '.join(classes)} on the scan's own grid; a table of components",
        "network's input": f"`hu`, float32 [batch, 1, z, y, x] at {prepared['spacing_xyz_mm']} mm (x, y, z); "
        f"sizes are multiples of {multiple}",
        "network's output": f"`probabilities`, float32 [batch, {len(classes)}, z, y, x]: {', '.join(classes)}",
        "region": prepared["region"],
        "training data": f"{card['training_cases']} scans; hash {card['training_hash'][:16]}",
        "networks": str(card["n_networks"]),
        "file": f"model/model.onnx, {Path(model).stat().st_size / 2**20:.1f} MiB",
        "SHA-256": hashlib.sha256(Path(model).read_bytes()).hexdigest(),
    }
    return table(pd.DataFrame({"field": rows.keys(), "value": rows.values()}))
