"""The metrics file of the study to compare with."""

from pathlib import Path

import pytest

from ctseg.errors import ConfigError
from ctseg.study.other_study import other_metrics


def test_another_study_is_compared_with_once_its_metrics_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="compare_with=NAME"):
        other_metrics({"compare_with": None})
    with pytest.raises(ConfigError, match=r"other/metrics/cases\.tsv does not exist"):
        other_metrics({"compare_with": "other"})
    metrics = Path("results/other/metrics/cases.tsv")
    metrics.parent.mkdir(parents=True)
    metrics.touch()
    assert other_metrics({"compare_with": "other"}) == str(metrics)
