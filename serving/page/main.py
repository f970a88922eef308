"""The page's script, which `app.py` serves: `make app MODEL=model.onnx`, or several models between quotes.

Streamlit runs it from top to bottom at each click. Segmentations run beside it (`runs.py`), and the address has the
token of the one that is shown, so that neither a click nor a reload loses it.
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
LANGUAGE = "language"  # of the address, so that a reload keeps it


def restored_run() -> Run | None:
    """The run of the address; in a new session the controls are set to what it is of."""
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
    """The language of the page."""
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
    """Begin the run of a choice; the address gets its token."""
    work = partial(segment, choice.asked, models.engine_of(choice.model), choice.model, SETTINGS)
    run = RUNS.start(choice.key, choice.names, work)
    st.query_params[TOKEN] = run.token
    return run


def drop(run: Run) -> None:
    """Show a run no more, and end it if it is under way."""
    if run.state is State.RUNNING:
        RUNS.cancel(run)
    st.query_params.pop(TOKEN, None)


def main() -> None:
    """The page."""
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
        st.session_state.pop("restored", None)  # with files of its own the session is like any other
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
