"""Notices on a study's cases before it runs, only for the terminal, because they may name paths."""

from collections.abc import Collection, Iterator
from pathlib import Path

from ctseg.study.cases import Case
from ctseg.study.pseudonyms import LOOKUP, is_pseudonym

MOST_NAMES = 10


def gpu_notice(wanted: int, allowed: int | None) -> str:
    """Line for a study whose training is to use more GPUs than this call of snakemake allows; else empty."""
    if allowed is None or not 0 < allowed < wanted:
        return ""
    return f"train.gpus is {wanted}, but the limit of this run is {allowed}; add --resources gpu={wanted} to use them"


def notices(cases: Collection[Case], key_file: str, training: bool) -> Iterator[str]:
    """Lines on pseudonyms of cases and, if networks are trained, on cases without a label."""
    if any(is_pseudonym(case.case) for case in cases):
        table = Path(key_file).with_name(LOOKUP)
        yield (
            f"the names of cases may be those of patients, so pseudonyms stand for them; {table} tells who is who, and "
            "cases.names: keep takes the names as they are"
        )
    unlabelled = [case.case for case in cases if case.label is None and case.split != "predict"]
    if training and 0 < len(unlabelled) < len(cases):
        names = ", ".join(unlabelled[:MOST_NAMES]) + (", …" if len(unlabelled) > MOST_NAMES else "")
        yield f"{len(unlabelled)} of {len(cases)} cases without a label, to be segmented only: {names}"
