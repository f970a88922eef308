"""What the records of a study name: the user's own files, and what of the config decided on its results."""

from collections.abc import Mapping
from typing import Any

from ctseg.study.study import Study

# Sections of the config that decide on no result, or hold paths.
UNREPORTED = ("cases", "keep", "resources", "report", "compare_with")


def source_files(study: Study) -> dict[str, str]:
    """The user's own files by what the manifest calls them: their case, and their input's name."""
    found = {"model": study.config["model"], "torchscript": study.torchscript}
    found |= {f"{member}/init": study.config["train"]["init_from"] for member in study.members}
    for name in study.to_report:
        case = study.cases[name]
        found |= {f"{name}/scan": case.image, f"{name}/label": case.label, f"{name}/given": case.lungs}
        found |= {f"{name}/replaced": study.replaced_labels.get(name), f"{name}/edited": study.edited.get(name)}
    return {name: path for name, path in found.items() if path and not path.startswith(f"{study.results}/")}


def reported_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of the config decides on results; no path stands in it."""
    shown = {key: value for key, value in config.items() if key not in UNREPORTED}
    return shown | {"cases": {"source": config["cases"]["source"]}}
