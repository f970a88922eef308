"""Models of the page: files from the command line, names and engines."""

import os
import sys
from pathlib import Path

import streamlit as st

from ctseg.errors import ModelError
from ctseg.file_hash import sha256_of
from ctseg.inference.engines import Engine, load_engine
from serving.model_facts import ModelFacts

AGAIN = "start the page anew with make app MODEL=path/to/model.onnx"


def given() -> list[Path]:
    """Model paths from the command line. Raises ModelError if none is given or one does not exist."""
    paths = [Path(name) for name in sys.argv[1:]]
    if not paths:
        raise ModelError(f"no model was given; {AGAIN}")
    if missing := [path for path in paths if not path.is_file()]:
        raise ModelError(f"the model {missing[0]} does not exist; {AGAIN}")
    return paths


def name_of(path: Path, paths: list[Path]) -> str:
    """Short unique name of a model: its study if it is in a `model` folder, else its file name, else its path."""
    if path.parent.name == "model" and len({other.parent.parent.name for other in paths}) == len(paths):
        return path.parent.parent.name
    return path.name if len({other.name for other in paths}) == len(paths) else str(path)


def engine_of(path: Path) -> Engine:
    """Engine of the current content of a model file. Raises InputError if it cannot be loaded."""
    return _engine(str(path), path.stat().st_mtime)


def facts_of(path: Path, paths: list[Path]) -> ModelFacts:
    """Facts of the current content of a model file. Raises InputError if it cannot be loaded."""
    return _facts(str(path), name_of(path, paths), path.stat().st_mtime)


@st.cache_resource(show_spinner=False, max_entries=4)
def _engine(path: str, changed: float) -> Engine:
    """Engine of a model file, cached by path and modification time `changed`."""
    return load_engine(path, os.cpu_count() or 1)


@st.cache_resource(show_spinner=False)
def _facts(path: str, name: str, changed: float) -> ModelFacts:
    """Facts of a model file, cached by path, name and modification time `changed`."""
    return ModelFacts(name, _engine(path, changed).card, sha256_of(path))
