"""CLAIM checklist (2024 update) of a study: items that its report answers, and items left to its authors.

Items in own words after Tejani et al., Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 update,
Radiology: Artificial Intelligence 2024; 6: e240300.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

ANSWERED, PARTLY, OPEN, ABSENT = "answered", "partly", "open", "does not apply"


@dataclass(frozen=True)
class StudyFacts:
    """Facts of a study that determine the answers of the checklist.

    `trained`: its networks are trained here. `measured`: at least one case has a label. `held_out`: the figures are
    from cases that no choice was made on. `ensemble`: several networks. `pretrained`: training began with given
    weights. `stability`: stability was measured. `strata`: results by acquisition exist. `archive`: scans come from one
    of `ARCHIVES`. `phantoms`: scans are made by ctseg. `licensed`: a licence is stated.
    """

    trained: bool
    measured: bool
    held_out: bool
    ensemble: bool
    pretrained: bool
    stability: bool
    strata: bool
    archive: bool
    phantoms: bool
    licensed: bool


# Number: section, question.
ITEMS = {
    1: ("Title", "name the use of AI and its kind"),
    2: ("Abstract", "a structured summary of design, data, methods, results and conclusions"),
    3: ("Introduction", "clinical background, and the intended role of the model"),
    4: ("Introduction", "aims and hypotheses"),
    5: ("Design", "prospective or retrospective"),
    6: ("Design", "goal of the study"),
    7: ("Data", "where the data come from"),
    8: ("Data", "which scans were eligible, and how they were selected"),
    9: ("Data", "preprocessing"),
    10: ("Data", "parts of the data that were selected"),
    11: ("Data", "removal of identifying data"),
    12: ("Data", "how missing data were handled"),
    13: ("Data", "how images were acquired"),
    14: ("Reference", "what the reference standard is, so that others can repeat it"),
    15: ("Reference", "why it was chosen"),
    16: ("Reference", "who annotated, and with which training"),
    17: ("Reference", "how test cases were annotated, and with which tool"),
    18: ("Reference", "how far annotators agree"),
    19: ("Partitions", "how data were divided, and into which shares"),
    20: ("Partitions", "at which level the parts are disjoint"),
    21: ("Test data", "how the number of test cases was determined"),
    22: ("Model", "architecture, inputs and outputs"),
    23: ("Model", "software with versions"),
    24: ("Model", "initial weights"),
    25: ("Training", "procedure, augmentation and hyperparameters"),
    26: ("Training", "how the final model was selected"),
    27: ("Training", "how an ensemble is combined"),
    28: ("Evaluation", "metrics"),
    29: ("Evaluation", "uncertainty of the figures, and tests"),
    30: ("Evaluation", "robustness"),
    31: ("Evaluation", "methods to explain results"),
    32: ("Evaluation", "test on internal data"),
    33: ("Evaluation", "test on data of other institutions"),
    34: ("Evaluation", "registration of a trial"),
    35: ("Results", "numbers of included and excluded cases, with a flow chart"),
    36: ("Results", "demographic and clinical data of each part"),
    37: ("Results", "performance against the reference, also of subgroups"),
    38: ("Results", "accuracy with 95 % intervals"),
    39: ("Results", "analysis of failures"),
    40: ("Discussion", "limitations"),
    41: ("Discussion", "implications for practice"),
    42: ("Other", "where the full protocol is"),
    43: ("Other", "availability of software, model and data"),
    44: ("Other", "funding"),
}


def checklist(facts: StudyFacts) -> pd.DataFrame:
    """One row per item: number, section, question, state, and place of the answer or missing information."""
    answers = {**_on_data(facts), **_on_model(facts), **_on_results(facts)}
    rows = []
    for number, (section, asks) in ITEMS.items():
        state, where = answers.get(number, (OPEN, "the authors"))
        rows.append({"item": number, "section": section, "asks": asks, "state": state, "where": where})
    return pd.DataFrame(rows)


Answers = Mapping[int, tuple[str, str]]


def _on_data(facts: StudyFacts) -> Answers:
    """Answers on design, data and reference standard."""
    made = dict.fromkeys((5, 8, 11, 15, 16, 17, 18, 36), (ABSENT, "the scans are phantoms made by ctseg"))
    made |= {7: (ANSWERED, "Methods: phantoms"), 14: (ANSWERED, "the shapes that the phantoms were made from")}
    subject = "phantom" if facts.phantoms else "patient"
    source = (ANSWERED, "Methods") if facts.archive else (OPEN, "the authors; ctseg knows only the folders")
    real = {
        7: source,
        8: (PARTLY, "Cohort has refused and excluded scans; eligibility: the authors"),
        11: (PARTLY, "results hold no identifying data; the data themselves: the authors"),
    }
    untrained = (ABSENT, "nothing was trained")
    return (made if facts.phantoms else real) | {
        9: (ANSWERED, "Methods"),
        10: (ANSWERED, "Cohort: flow of scans, other series"),
        12: (PARTLY, "refused cases are left out, with their reasons in Cohort; clinical data: the authors"),
        13: (ANSWERED, "Cohort: scanner, kernel, voltage, spacing, contrast, as far as the files state them"),
        19: (ANSWERED, "Methods, Cohort") if facts.trained else untrained,
        20: (ANSWERED, f"Cohort: no {subject} is in two of train, val and test") if facts.trained else untrained,
    }


def _on_model(facts: StudyFacts) -> Answers:
    """Answers on the model and its training."""
    always = {22: (ANSWERED, "Model card, Methods"), 23: (ANSWERED, "Methods: Software")}
    if not facts.trained:
        elsewhere = (OPEN, "the report of the study that trained the model")
        return always | dict.fromkeys((24, 25, 26, 27), elsewhere) | {22: (PARTLY, "Model card")}
    weights = (PARTLY, "given weights; where they come from: the authors")
    return always | {
        24: weights if facts.pretrained else (ANSWERED, "random, with the seed in Methods"),
        25: (ANSWERED, "Methods, Training, Plan, Configuration"),
        26: (ANSWERED, "Methods, Training"),
        27: (ANSWERED, "Methods") if facts.ensemble else (ABSENT, "one network"),
    }


def _on_results(facts: StudyFacts) -> Answers:
    """Answers on evaluation, results and availability."""
    always = {
        31: (ABSENT, "the segmentation itself is shown: Quality control"),
        35: (ANSWERED, "Cohort: flow of scans"),
        40: (PARTLY, "Cautions; others: the authors"),
        42: (ANSWERED, "Methods: Configuration"),
        43: (PARTLY, "software and licence of the model in the Model card; data: the authors")
        if facts.licensed
        else (PARTLY, "software in Methods; licence of the model and data: the authors"),
    }
    if not facts.measured:
        return always | dict.fromkeys((28, 29, 32, 33, 37, 38, 39), (OPEN, "no case has a label"))
    internal = (ANSWERED, "Results") if facts.held_out else (OPEN, "no case was held out")
    groups = (ANSWERED, "Results, by acquisition, too") if facts.strata else (PARTLY, "Results; subgroups: the authors")
    return always | {
        28: (PARTLY, "Methods, Results; comparison with published models: the authors"),
        29: (ANSWERED, "Methods, Results"),
        30: (ANSWERED, "Results: stability against the grid") if facts.stability else (OPEN, "measure.stability"),
        32: internal if facts.trained else (ABSENT, "the model comes from another study"),
        33: (OPEN, "the authors know whether these scans come from other institutions than the training scans"),
        37: groups,
        38: (ANSWERED, "Results"),
        39: (ANSWERED, "Results: missed and false lesions; Quality control: worst cases"),
    }
