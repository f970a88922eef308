"""All parts of a study's report, from the files of its results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ctseg.catalogue.archives import ARCHIVES
from ctseg.evaluation.summary import read_tables
from ctseg.files import read_json
from ctseg.inference.model_card import ModelCard, read_card_file
from ctseg.plurals import counted
from ctseg.report.claim import StudyFacts, checklist
from ctseg.report.cohort import read_cohort, subjects
from ctseg.report.content import (
    costs,
    headline_split,
    pictured,
    shown_cases,
    shown_lesions,
    shown_strata,
    shown_summary,
    versions,
    worst_first,
)
from ctseg.report.front_page import cautions, headline, summary
from ctseg.report.html import decision_table, svg, table
from ctseg.report.lesion_pictures import chosen_lesions, lesion_pictures, told
from ctseg.report.methods_text import methods
from ctseg.report.model_parts import card_table, on_training, read_members
from ctseg.report.pictures import case_volumes, full_pages, picture, previews, viewed
from ctseg.report.scan_parts import on_scans, refused_table

SECTIONS = {
    "summary": "Summary",
    "cohort": "Cohort",
    "quality": "Quality control",
    "training": "Training",
    "results": "Results",
    "model": "Model card",
    "methods": "Methods",
    "checklist": "Checklist",
}
FIGURES = {
    "dice": "Dice of each case, by split and by the size of the target.",
    "volumes": "Volumes, equal on the line; their differences, with the mean and the limits for 95 % of further cases.",
    "froc": "Lesions found against false lesions per scan, from the highest mean probability of a component down.",
    "calibration": "Share of target voxels at each probability, within 10 mm of the target's box.",
}


def gather(source: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the template `report.html`; `source` has the paths of the results by name, `params` is from the rule.

    Parts on training are empty if the model is from another study, those on metrics if no case has a label.
    """
    cohort, card = read_cohort(source.cohort), read_card_file(source.card)
    cases = read_tables([source.cases]) if source.get("cases") else None
    measured = [] if cases is None else list(dict.fromkeys(worst_first(cases)["case"]))
    figures = dict(zip(params["segmented"], source.case_figures, strict=True))
    chosen = pictured(measured, [case for case in figures if case not in measured], params["pictures"])
    made = {name: read_json(source.get(name)) for name in ("plan", "postprocessing", "inference") if source.get(name)}
    # A scan with a refused label is segmented, but used neither for training nor for testing.
    told_of = cohort[~cohort["case"].isin(refused_table(source)["case"])] if "plan" in made else cohort
    members = read_members(source)
    steps = [] if members is None else members["trained_steps"].astype(int).tolist()
    paragraphs, references = methods(params["config"], made, told_of, card, cases is not None, steps)
    links = {case: f"#case-{case}" for case in chosen}
    return {
        "study": params["study"],
        "sections": SECTIONS,
        "subject": subjects(params["config"]["cases"]["source"]),
        "pictures": [picture(case, figures[case], cases) for case in chosen],
        "pictures_text": f" {len(chosen)} of {len(figures)} cases are shown." if len(chosen) < len(figures) else "",
        "previews": previews(source, params, cases, card.preparation.window_hu),
        "pages": full_pages(source, viewed(cases, params)),
        "card_table": card_table(card, source.model, params),
        "postprocessing_table": decision_table(made["postprocessing"]),
        "inference_table": decision_table(made["inference"]),
        "methods": paragraphs,
        "references": references,
        "claim_table": table(checklist(_study_facts(source, params, card, cases)), sortable=True),
        "cost_table": table(costs(Path(params["benchmarks"]), _names_of_jobs(params, members)), sortable=True),
        "software_table": table(versions(card.versions)),
        "configuration": yaml.safe_dump(params["config"], allow_unicode=True, sort_keys=False),
        **on_scans(source, params, cohort, links, None if cases is None else len(measured)),
        **on_training(source, params, made),
        **_on_metrics(source, params, cases, links),
        **_on_lesions(source, params, cases, card),
        **_front_page(source, params, cohort, card, cases, members),
    }


def _names_of_jobs(params: Mapping[str, Any], members: pd.DataFrame | None) -> set[str]:
    """Names of the jobs of the study's cases, networks and folds, as their benchmark files have them."""
    names = {*params["cases"], "model"}
    if members is not None:
        folds = {str(int(fold)) for fold in members["fold"]}
        names |= {*members["network"], *folds, *(f"folds/{fold}" for fold in folds)}
    return names


def _on_metrics(
    source: Any, params: Mapping[str, Any], cases: pd.DataFrame | None, links: Mapping[str, str]
) -> dict[str, Any]:
    """The parts on metrics; empty if no case has a label."""
    if cases is None:
        return {"result_figures": {}, "case_table": "", "summary_table": "", "strata_table": "", "note": ""}
    strata, who = read_strata(source), subjects(params["config"]["cases"]["source"])
    return {
        "result_figures": {FIGURES[name]: svg(source.get(name)) for name in FIGURES if source.get(name)},
        "case_table": table(shown_cases(cases), links, sortable=True),
        "summary_table": table(shown_summary(read_tables([source.summary])), sortable=True),
        "strata_table": table(shown_strata(strata, who), sortable=True) if len(strata) else "",
        "note": Path(source.note).read_text(encoding="utf-8"),
    }


def _on_lesions(source: Any, params: Mapping[str, Any], cases: pd.DataFrame | None, card: ModelCard) -> dict[str, Any]:
    """The parts on lesions: table by diameter, and pictures of missed and false ones; empty if no case has a label."""
    if cases is None:
        return {"lesion_table": "", "lesion_pictures": [], "lesion_text": ""}
    lesions = read_tables([source.lesions])
    chosen = chosen_lesions(lesions, headline_split(cases), params["lesion_pictures"])
    return {
        "lesion_table": table(shown_lesions(read_lesion_summary(source)), sortable=True),
        "lesion_pictures": lesion_pictures(chosen, case_volumes(source, params), card.preparation.window_hu),
        "lesion_text": told(lesions, len(chosen)),
    }


def read_strata(source: Any) -> pd.DataFrame:
    """Read the table of results by acquisition; values that look like numbers stay text."""
    return pd.read_csv(source.strata, sep="\t", dtype=dict.fromkeys(["split", "label", "stratum", "value"], str))


def read_lesion_summary(source: Any) -> pd.DataFrame:
    """Read the table of all lesions, pooled and by diameter."""
    return pd.read_csv(source.lesion_summary, sep="\t", dtype=dict.fromkeys(["split", "label", "diameter"], str))


def _study_facts(source: Any, params: Mapping[str, Any], card: ModelCard, cases: pd.DataFrame | None) -> StudyFacts:
    """Facts of the study for the checklist."""
    config = params["config"]
    origin = config["cases"]["source"]
    return StudyFacts(
        trained=bool(source.get("members")),
        measured=cases is not None,
        held_out=cases is not None and headline_split(cases) == "test",
        ensemble=card.n_networks > 1,
        pretrained=bool(config["train"]["init_from"]),
        stability=cases is not None and "stability_dice" in cases,
        strata=cases is not None and len(read_strata(source)) > 0,
        archive=origin in ARCHIVES and ARCHIVES[origin].public,
        phantoms=origin == "phantom",
        licensed=params["licence"] != "not stated",
    )


def _front_page(
    source: Any,
    params: Mapping[str, Any],
    cohort: pd.DataFrame,
    card: ModelCard,
    cases: pd.DataFrame | None,
    members: pd.DataFrame | None,
) -> dict[str, Any]:
    """Summary, headline figures and cautions."""
    facts = source.get("lungs_facts", []) if card.preparation.region == "lungs" else []
    plausible = {Path(path).stem: bool(read_json(path)["plausible"]) for path in facts}
    split = "" if cases is None else headline_split(cases)
    networks = None if members is None else dict(zip(members["network"], members["validation_dice"], strict=True))
    origin = params["config"]["cases"]["source"]
    tiles = {} if cases is None else headline(read_tables([source.summary]), split, read_lesion_summary(source))
    return {
        "summary": summary(cohort, card, cases, split, members is None, subjects(origin)),
        "headline": tiles,
        "headline_split": split,
        "cautions": [*_on_refused(source), *cautions(cases, cohort, split, origin, networks, plausible)],
    }


def _on_refused(source: Any) -> list[str]:
    """A caution if cases were refused."""
    refused = refused_table(source)["case"].nunique()
    text = f"{counted(refused, 'case')} refused: scan, label or lung field is unusable; see the section Cohort."
    return [text] if refused else []
