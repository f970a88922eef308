"""Contents of a study's records: the user's own files, and the part of the config that affects its results."""

from collections.abc import Mapping
from typing import Any

from ctseg.study.study import Study

# Sections of the config that affect no result, or contain paths.
UNREPORTED = ("cases", "keep", "resources", "report", "compare_with")
GIVEN = "a file of the user"


def source_files(study: Study) -> dict[str, str]:
    """Paths of the user's own files by their key in the manifest, such as CASE/scan."""
    found = {"model": study.config["model"], "torchscript": study.torchscript}
    found |= {f"{member}/init": study.config["train"]["init_from"] for member in study.members}
    for name in study.to_report:
        case = study.cases[name]
        found |= {f"{name}/scan": case.image, f"{name}/label": case.label, f"{name}/given": case.lungs}
        found |= {f"{name}/replaced": study.replaced_labels.get(name), f"{name}/edited": study.edited.get(name)}
    return {name: path for name, path in found.items() if path and not path.startswith(f"{study.results}/")}


def reported_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the config that affects results, without paths: files of the user are `GIVEN`, and have a hash.

    Of the section `cases` only the source is left.
    """
    shown = {key: value for key, value in config.items() if key not in UNREPORTED}
    shown |= {"cases": {"source": config["cases"]["source"]}, "model": config["model"] and GIVEN}
    return shown | {"train": config["train"] | {"init_from": config["train"]["init_from"] and GIVEN}}
