"""The demo page: `make app MODEL=model.onnx`, or several models between quotes.

Streamlit runs this script from top to bottom at each click; what a segmentation gave is kept in the session.
"""

import os
import sys
from pathlib import Path

import streamlit as st

from ctseg.digits import two_decimals
from ctseg.errors import InputError
from ctseg.inference.engines import Engine, load_engine
from serving.page.texts import TEXTS
from serving.page.view import document
from serving.page.work import Shown, segment_example, segment_upload
from serving.settings import Settings

MIME = {".gz": "application/gzip", ".csv": "text/csv", ".dcm": "application/dicom"}
SETTINGS = Settings()


@st.cache_resource(show_spinner=False)
def engine_of(path: str, changed: float) -> Engine:
    """The engine of a model file, cached until the file's modification time `changed` differs."""
    return load_engine(path, os.cpu_count() or 1)


def models() -> list[Path]:
    """The models given at the start of the page; a missing one ends the page with a sentence."""
    paths = [Path(name) for name in sys.argv[1:]]
    missing = [path for path in paths if not path.is_file()]
    if missing or not paths:
        st.error(f"{missing[0] if missing else 'a model'} does not exist: make app MODEL=path/to/model.onnx")
        st.stop()
    return paths


def name_of(path: Path, paths: list[Path]) -> str:
    """A short distinguishing name of a model: its study if it lies in results/, else its path."""
    if path.parent.name == "model" and len({other.parent.parent.name for other in paths}) == len(paths):
        return path.parent.parent.name
    return str(path)


def segment(model: Path, upload: bytes | None, texts: dict[str, str]) -> Shown | None:
    """Segment and show progress, or the problem of the scan, on the page."""
    bar = st.progress(0.0, texts["reading"])

    def tell(step: str, fraction: float) -> None:
        bar.progress(fraction, texts[step])

    try:
        engine = engine_of(str(model), model.stat().st_mtime)
        if upload is None:
            return segment_example(engine, model, tell)
        return segment_upload(upload, engine, model, SETTINGS, tell)
    except InputError as error:
        st.error(f"{texts['failed']}: {error}")
        return None
    finally:
        bar.empty()


def show(shown: Shown, texts: dict[str, str]) -> None:
    """Show the result: text, viewer and downloads."""
    rows = shown.scene["rows"]
    volume_cm3 = two_decimals(sum(row["volume_cm3"] for row in rows))
    if rows:
        st.subheader(f"{texts['found']}: {len(rows)} {texts['components']}, {volume_cm3} cm³")
    else:
        st.info(texts["nothing"])
    for caution in shown.cautions:
        st.warning(f"{texts['unusual']}: {caution}")
    st.iframe(document(shown.scene, texts))
    with st.container(horizontal=True):
        for name, data in shown.files.items():
            st.download_button(
                f"{texts['download']} {name}", data, name, MIME[Path(name).suffix], on_click="ignore", key=name
            )


def main() -> None:
    """The page."""
    st.set_page_config(page_title="ctseg", layout="wide")
    language = st.segmented_control("Language", list(TEXTS), default="English", label_visibility="collapsed")
    texts = TEXTS[language or "English"]
    st.title(texts["title"])
    st.write(texts["lead"])
    paths = models()
    model = paths[0]
    if len(paths) > 1:
        model = st.selectbox(texts["model"], paths, format_func=lambda path: name_of(path, paths))
    sources = ["example", "upload"]
    source = st.radio(texts["source"], sources, format_func=lambda name: texts[name], horizontal=True, key="source")
    given = (
        st.file_uploader(texts["drop"], key="given", max_upload_size=int(SETTINGS.max_upload_mib))
        if source == "upload"
        else None
    )
    if st.button(texts["start"], type="primary", disabled=source == "upload" and given is None):
        st.session_state["shown"] = segment(model, given.getvalue() if given else None, texts)
    if st.session_state.get("shown"):
        show(st.session_state["shown"], texts)


main()
