"""Script of the page, run by `app.py`: `make app MODEL=model.onnx`, or several models in quotes.

Streamlit runs the script from top to bottom at each click. Segmentations run in threads (`runs.py`), and the URL has
the token of the displayed run, so that neither a click nor a reload loses the result.
"""

from functools import partial

import streamlit as st

from ctseg.errors import InputError
from serving.page import models
from serving.page.choice import Choice, belongs
from serving.page.controls import SOURCES, model_control, note_series, scan_control
from serving.page.problems import error_in
from serving.page.result import TOKEN, describe, show_failure, show_progress, show_result
from serving.page.runs import RUNS, Run, State
from serving.page.texts import TEXTS
from serving.page.work import segment
from serving.settings import Settings

SETTINGS = Settings()
LANGUAGE = "language"  # query parameter, so that a reload keeps the language


def restored_run() -> Run | None:
    """Run of the token in the URL; in a new session, set source and model to those of the run."""
    token = st.query_params.get(TOKEN)
    run = RUNS.get(token)
    if "begun" not in st.session_state:
        st.session_state["begun"] = True
        if run:
            st.session_state["restored"] = run.token
            st.session_state["source"] = run.names.source if run.names.source in SOURCES else SOURCES[0]
            path = next((path for path in models.given() if str(path) == run.names.model_path), None)
            if path and len(models.given()) > 1:
                st.session_state["model"] = path
    if token and run is None:
        st.session_state["gone"] = True
        st.query_params.pop(TOKEN, None)
    return run


def chosen_language() -> str:
    """Language of the page, from the control or the URL."""
    known = list(TEXTS)
    default = st.query_params.get(LANGUAGE)
    chosen = st.segmented_control(
        "Language / 语言",
        known,
        default=default if default in known else known[0],
        required=True,
        key="chosen-language",
        label_visibility="collapsed",
    )
    language = chosen or known[0]
    if language != st.query_params.get(LANGUAGE, known[0]):
        st.query_params[LANGUAGE] = language
    return language


def start(choice: Choice) -> Run:
    """Start the run of a choice and put its token into the URL."""
    work = partial(segment, choice.asked, models.engine_of(choice.model), choice.model, SETTINGS)
    run = RUNS.start(choice.key, choice.names, work)
    st.query_params[TOKEN] = run.token
    return run


def drop(run: Run) -> None:
    """Remove a run from the page, and cancel it if it is running."""
    if run.state is State.RUNNING:
        RUNS.cancel(run)
    st.query_params.pop(TOKEN, None)


def main() -> None:
    """Draw the whole page."""
    st.set_page_config(page_title="ctseg", layout="wide")
    language = chosen_language()
    texts = TEXTS[language]
    st.title(texts["title"])
    try:
        paths = models.given()
        run = restored_run()
        busy = run is not None and run.state is State.RUNNING
        if run:
            note_series(run)
        model, facts = model_control(paths, texts, busy)
    except InputError as error:
        st.error(error_in(str(error), language))
        st.stop()
    describe(facts, texts)
    st.caption(texts["lead"])
    choice = scan_control(model, facts, texts, SETTINGS, busy)
    restored = run is not None and st.session_state.get("restored") == run.token
    if choice.complete:
        st.session_state.pop("restored", None)  # the session has files again
    if run and not belongs(run, choice, restored):
        drop(run)
        st.rerun()
    if st.button(texts["start"], type="primary", disabled=busy or not choice.complete):
        st.session_state.pop("gone", None)
        start(choice)
        st.rerun()
    if run is None:
        if st.session_state.pop("gone", False):
            st.info(texts["gone"])
    elif run.state is State.RUNNING:
        show_progress(run.token, texts)
    elif run.shown:
        show_result(run, run.shown, language, texts, choosable=not restored)
    else:
        show_failure(run, language, texts)


main()
