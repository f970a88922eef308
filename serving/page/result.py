"""Display of a model and of a run: progress, result, or error."""

import re
from collections.abc import Mapping
from math import isnan
from pathlib import Path

import streamlit as st

from ctseg.digits import two_decimals
from serving.model_facts import ModelFacts
from serving.page.controls import EXAMPLE, series_words
from serving.page.problems import caution_in, error_in
from serving.page.runs import RUNS, Run, State
from serving.page.texts import Texts, training_data
from serving.page.view import document
from serving.page.work import Shown

MIME = {".gz": "application/gzip", ".csv": "text/csv", ".dcm": "application/dicom"}
POLL_SECONDS = 0.4
TOKEN = "result"  # query parameter
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|$<>~:])")


def plain(text: str) -> str:
    """Text with all Markdown characters escaped."""
    return MARKDOWN.sub(r"\\\1", text)


def describe(facts: ModelFacts, texts: Texts) -> None:
    """Show name, targets and training data of the model; for a model trained on phantoms, show them as a warning."""
    card = facts.card
    told = texts["toy" if card.phantom else "about"]
    targets, cases = plain(", ".join(card.labels)), training_data(card, texts)
    sentence = told.format(name=plain(facts.name), targets=targets, cases=cases)
    if card.phantom:
        st.warning(sentence)
        st.write(texts["research"])
    else:
        st.write(sentence, texts["origin"] if card.phantom is None else "", texts["research"])


@st.fragment(run_every=POLL_SECONDS)
def show_progress(token: str, texts: Texts) -> None:
    """Show the progress of a run and a button to cancel it; redraw the page when the run has ended."""
    run = RUNS.get(token)
    if run is None or run.state is not State.RUNNING:
        st.rerun()
        return  # for type checkers without Streamlit
    st.write(f"**{plain(title(run, texts))}**")
    st.progress(run.fraction, texts[run.step])
    if st.button(texts["cancel"], key="cancel"):
        RUNS.cancel(run)
        st.query_params.pop(TOKEN, None)
        st.rerun()


def title(run: Run, texts: Texts) -> str:
    """Title of a run: names of its scan and model."""
    scan = texts[EXAMPLE] if run.names.source == EXAMPLE else run.names.scan
    return texts["result_of"].format(scan=scan, model=run.names.model)


def show_failure(run: Run, language: str, texts: Texts) -> None:
    """Show the error of a failed run."""
    st.error(f"**{plain(title(run, texts))}**\n\n{texts['failed']}: {plain(error_in(run.error, language))}")


def show_result(run: Run, shown: Shown, language: str, texts: Texts, choosable: bool) -> None:
    """Show the result: title, series, lesion count and volume, flags, Dice with the own label, viewer, downloads."""
    st.subheader(plain(title(run, texts)))
    _show_series(run, shown, texts, choosable)
    rows = shown.scene["rows"]
    if rows:
        found = texts["found_one"] if len(rows) == 1 else texts["found"]
        st.write(f"**{found.format(count=len(rows), volume=two_decimals(shown.scene['volume_cm3']))}**")
    else:
        st.info(texts["nothing"])
    for caution in shown.cautions:
        if caution.kind != "nothing_found":
            st.warning(f"{texts['unusual']}: {plain(caution_in(caution, language))}")
    if shown.dice:
        each = [
            f"{plain(name)} {'–' if isnan(value) else f'{value:.3f}'}"
            for name, value in zip(shown.labels, shown.dice, strict=True)
        ]
        st.write(texts["dice"].format(values=", ".join(each)))
    st.iframe(document(shown.scene, texts, volume_addresses(run.token, shown.volumes)))
    with st.container(horizontal=True):
        for name, data in shown.files.items():
            st.download_button(
                f"{texts['download']} {plain(name)}",
                data,
                name,
                MIME[Path(name).suffix],
                on_click="ignore",
                key=f"{run.token}-{name}",
            )


def volume_addresses(token: str, volumes: Mapping[str, bytes]) -> dict[str, str]:
    """URLs of the volumes for the viewer, see `serving.page.routes`."""
    return {name: f"/ctseg/{token}/{name}.nii" for name in volumes}


def _show_series(run: Run, shown: Shown, texts: Texts, choosable: bool) -> None:
    """Show the segmented series if the scan has several."""
    taken = [row for row in run.series if row.uid == shown.series_uid]
    if len(run.series) > 1 and taken:
        words = plain(series_words(taken[0], run.series, texts))
        told = texts["series_taken" if choosable else "series_taken_after"]
        st.write(told.format(series=words, count=len(run.series)))
