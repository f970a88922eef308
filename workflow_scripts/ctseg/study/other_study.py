"""The other study that a study is compared with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctseg.errors import ConfigError


def other_metrics(config: Mapping[str, Any]) -> str:
    """Metrics file of the study in `compare_with`. Raises ConfigError if none is named or the file is missing."""
    if not config["compare_with"]:
        raise ConfigError("name the study to compare with: snakemake compare --config compare_with=NAME")
    metrics = f"results/{config['compare_with']}/metrics/cases.tsv"
    if not Path(metrics).is_file():
        raise ConfigError(
            f"compare_with: {metrics} does not exist; run that study to its end first, or correct the name"
        )
    return metrics
