"""Configs of tests: config.yaml with one value changed, and what ctseg says about it."""

import copy
from typing import Any

import pytest
import yaml

from ctseg.errors import InputError
from ctseg.study.config import resolve_config
from places import ROOT, SCHEMAS

SCHEMA_PATH = SCHEMAS / "config.schema.yaml"
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def resolve(config: Any, given: Any = None) -> dict:
    """The config as a study gets it, checked and complete."""
    return resolve_config(config, SCHEMA_PATH, given)


def changed(key: str, value: Any) -> dict:
    """config.yaml as a study of its own, with another value of `key`, as in `train.steps`."""
    config = copy.deepcopy(DEFAULT) | {"study": "mine"}
    section = config
    *path, last = key.split(".")
    for name in path:
        section = section[name]
    section[last] = value
    return config


def only_problem(config: Any) -> str:
    """The message that refuses a config with a single problem, in one line."""
    head, problem = complaint(config).split("\n  ")
    assert head == "the config has a problem:"
    return problem


def complaint(config: Any) -> str:
    """The message that refuses a config."""
    with pytest.raises(InputError) as caught:
        resolve(config)
    return str(caught.value)
