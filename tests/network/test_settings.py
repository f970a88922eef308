"""Network settings are unchanged after writing and reading them as JSON."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from networks import SETTINGS


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_survive_json(name):
    settings = SETTINGS[name]
    found = type(settings).from_plain(json.loads(json.dumps(asdict(settings))))
    assert found == settings
    assert hash(found) == hash(settings)  # all lists are tuples again


@pytest.mark.parametrize("name", SETTINGS)
def test_patches_are_multiples_of_all_strides_together(name):
    settings = SETTINGS[name]
    assert settings.multiple_zyx == tuple(np.prod([settings.stem_zyx, *settings.strides_zyx], axis=0).tolist())
