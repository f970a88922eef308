"""Controls of the page: model, scan, own label and series."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from serving.model_facts import ModelFacts
from serving.page.choice import Choice
from serving.page.inputs import SeriesRow, Upload, digest_of, scan_name
from serving.page.models import facts_of, name_of
from serving.page.runs import Key, Run
from serving.page.texts import Texts
from serving.page.work import Asked
from serving.settings import Settings

EXAMPLE = "example"
SOURCES = (EXAMPLE, "upload", "folder")


def model_control(paths: Sequence[Path], texts: Texts, busy: bool) -> tuple[Path, ModelFacts]:
    """Path and facts of the model, chosen by the user among several. Raises InputError if it cannot be loaded."""
    known = list(paths)
    model = known[0]
    if len(known) > 1:
        model = st.selectbox(
            texts["model"], known, format_func=lambda path: name_of(path, known), key="model", disabled=busy
        )
    return model, facts_of(model, known)


def scan_control(model: Path, facts: ModelFacts, texts: Texts, settings: Settings, busy: bool) -> Choice:
    """Controls for scan, own label and series; return the resulting choice."""
    source = st.radio(
        texts["source"], SOURCES, format_func=lambda name: texts[name], horizontal=True, key="source", disabled=busy
    )
    if source == EXAMPLE:
        return Choice(model, facts, source, Asked(EXAMPLE), Key(EXAMPLE, facts.sha256))
    given = st.file_uploader(
        texts["drop_folder" if source == "folder" else "drop"],
        accept_multiple_files="directory" if source == "folder" else True,
        key=f"given-{source}",
        max_upload_size=int(settings.max_upload_mib),
        disabled=busy,
    )
    uploads = tuple(Upload(file.name, file.getvalue()) for file in given)
    scan = _digest([file.file_id for file in given], uploads)
    with st.expander(texts["own_label"]):
        own = st.file_uploader(texts["own_label"], key="own", label_visibility="collapsed", disabled=busy)
    label = Upload(own.name, own.getvalue()) if own else None
    series = _series_control(scan, texts, busy)
    name = scan_name([upload.name for upload in uploads]) if uploads else ""
    key = Key(scan, facts.sha256, series, _digest([own.file_id], (label,)) if own and label else "")
    return Choice(model, facts, source, Asked(name, uploads, series, label), key)


def note_series(run: Run) -> None:
    """Store the series of a scan in the session, so that the user can choose one."""
    if run.series:
        st.session_state["series-of"] = (run.key.scan, run.series)


def _series_control(scan: str, texts: Texts, busy: bool) -> str:
    """UID of the chosen series, empty for the best one; the control appears if the scan has several usable series."""
    known, rows = st.session_state.get("series-of", ("", ()))
    usable = [row for row in rows if not row.problem]
    if not scan or known != scan or len(usable) < 2:
        return ""
    words = {row.uid: series_words(row, rows, texts) for row in usable}
    auto = texts["series_auto"].format(count=len(rows))
    return st.selectbox(
        texts["series"],
        ["", *words],
        format_func=lambda uid: words.get(uid, auto),
        key=f"series-{scan[:16]}",
        disabled=busy,
    )


def series_words(row: SeriesRow, rows: Sequence[SeriesRow], texts: Texts) -> str:
    """Description of a series for users: number, images, slice distance, kernel, part and patient."""
    words = [texts["series_row"].format(images=row.images)]
    if row.slice_mm:
        words.append(texts["series_every"].format(distance=row.slice_mm))
    words += [row.kernel, row.part]
    if len({other.patient for other in rows}) > 1:
        words.append(texts["series_patient"].format(number=row.patient))
    return f"{rows.index(row) + 1}: {', '.join(filter(None, words))}"


def _digest(file_ids: Sequence[str], uploads: Sequence[Upload]) -> str:
    """Digest of some uploads, cached in the session by `file_ids`."""
    known: dict[str, str] = st.session_state.setdefault("digests", {})
    name = hashlib.sha256(" ".join(file_ids).encode()).hexdigest()
    if name not in known:
        known[name] = digest_of(uploads)
    return known[name]
