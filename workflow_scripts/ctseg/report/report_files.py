"""Input files of a report, without the files of refused cases."""

from collections.abc import Mapping
from typing import Any

from ctseg.jobs.refusals import read_refusal

OF_SEGMENTED = ("case_figures", "images", "segmentations", "lungs_facts")  # one per segmented case, in order


class Files(dict[str, Any]):
    """Dictionary of paths and lists of paths by name; names are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        """The path or paths of a name. Raises AttributeError for an unknown name."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def without_refused(source: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[Files, dict[str, Any]]:
    """Files and params of the report, without segmentations and labels that are only the record of a refusal.

    `params["segmented"]` and `params["measured"]` name the cases in the order of their files.
    """
    files, left = Files(source), dict(params)
    good = [read_refusal(path) is None for path in source["segmentations"]]
    for name in OF_SEGMENTED:
        if name in files:
            files[name] = _chosen(files[name], good)
    left["segmented"] = _chosen(params["segmented"], good)
    if "labels" in files:
        measured = [
            case in left["segmented"] and read_refusal(path) is None
            for case, path in zip(params["measured"], source["labels"], strict=True)
        ]
        files["labels"], left["measured"] = _chosen(files["labels"], measured), _chosen(params["measured"], measured)
    return files, left


def _chosen(items: Any, good: list[bool]) -> list[Any]:
    """Items with a true value in `good`."""
    return [item for item, chosen in zip(items, good, strict=True) if chosen]
