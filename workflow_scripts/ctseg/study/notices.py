"""Notices on a study before it runs, only for the terminal, because they may name paths."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ctseg.study.cases import Case
from ctseg.study.pseudonyms import LOOKUP, is_pseudonym
from ctseg.study.study import Study

MOST_NAMES = 10
OF_MODEL = {"infer": ("window", "overlap", "precision", "mirror_axes"), "postprocess": ()}  # () stands for all keys


def notices(study: Study, given: Mapping[str, Any], limits: Mapping[str, int | None], submitted: bool) -> Iterator[str]:
    """All lines for the terminal.

    `given` is the config of the study file and the command line, `limits` has Snakemake's limits of resources by name,
    and `submitted` says whether jobs run on other machines.
    """
    cases, config = study.cases.values(), study.config
    yield from on_pseudonyms(cases, config["cases"]["key_file"])
    yield from on_new_names(study)
    if study.trains:
        yield from on_missing_labels(cases)
        yield from on_gpus(config["train"]["gpus"], limits.get("gpu"))
    else:
        yield from on_given_splits(cases)
        yield from on_keys_of_the_model(given)
    if submitted:
        yield from on_threads(config["resources"]["threads"], limits.get("_cores"))


def on_pseudonyms(cases: Collection[Case], key_file: str) -> Iterator[str]:
    """A line on pseudonyms of cases."""
    if any(is_pseudonym(case.case) for case in cases):
        table = Path(key_file).with_name(LOOKUP)
        yield (
            f"the names of cases may be those of patients, so pseudonyms stand for them; {table} tells who is who, and "
            "cases.names: keep takes the names as they are"
        )


def on_new_names(study: Study) -> Iterator[str]:
    """A line if the cases have other names than in the results, since pseudonyms came, went, or have another key."""
    former = {path.name.removesuffix(".json") for path in Path(study.results, "images").glob("*.json")}
    names = set(study.cases)
    if former and not former & names and any(map(is_pseudonym, former | names)):
        yield (
            f"no case is called as in {study.results}, so all jobs run again: a name that looks like a patient's came "
            "or went, or cases.key_file is another file than before; cases.names: keep, or pseudonym, settles the names"
        )


def on_missing_labels(cases: Collection[Case]) -> Iterator[str]:
    """A line on cases without a label in a study that trains."""
    unlabelled = [case.case for case in cases if case.label is None and case.split != "predict"]
    if 0 < len(unlabelled) < len(cases):
        yield f"{len(unlabelled)} of {len(cases)} cases without a label, to be segmented only: {_listed(unlabelled)}"


def on_given_splits(cases: Collection[Case]) -> Iterator[str]:
    """A line on labelled cases that a given model may have learnt from."""
    others = [case.case for case in cases if case.label and case.split not in (None, "test")]
    if others:
        yield (
            f"{len(others)} of {len(cases)} cases are segmented and not measured, though they have a label: their "
            f"split is not test, so the model may have learnt from them: {_listed(others)}"
        )


def on_keys_of_the_model(given: Mapping[str, Any]) -> Iterator[str]:
    """A line on settings of the study file or the command line that a given model replaces."""
    keys = [
        f"{section}.{key}"
        for section, own in OF_MODEL.items()
        for key in given.get(section) or {}
        if key in own or not own
    ]
    if keys:
        yield f"the given model has its own {', '.join(keys)}, so those of this study are not used"


def on_gpus(wanted: int, allowed: int | None) -> Iterator[str]:
    """A line if training is to use more GPUs than this call of snakemake allows."""
    if allowed is not None and 0 < allowed < wanted:
        yield (
            f"train.gpus is {wanted}, but the limit of this run is {allowed}; add --resources gpu={wanted} to use them"
        )


def on_threads(wanted: int, allowed: int | None) -> Iterator[str]:
    """A line if submitted jobs get fewer threads than the config says."""
    if allowed is not None and allowed < wanted:
        yield (
            f"resources.threads is {wanted}, but Snakemake gives a submitted job at most {allowed}; set cores: "
            f"{wanted} in the profile, or add --cores {wanted}"
        )


def _listed(names: list[str]) -> str:
    """Up to `MOST_NAMES` names, separated by commas."""
    return ", ".join(names[:MOST_NAMES]) + (", …" if len(names) > MOST_NAMES else "")
