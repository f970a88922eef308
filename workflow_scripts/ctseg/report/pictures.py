"""The pictures of cases, and the volumes of the slice viewer."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from ctseg.geometry.volume import Volume
from ctseg.report.content import caption, looked_through
from ctseg.report.html import photograph
from ctseg.report.slice_viewer import preview
from ctseg.scans.nifti import read_nifti

Volumes = tuple[Volume, Volume, Volume | None]  # image, segmentation, and label or None, of a case


def picture(case: str, path: str, cases: pd.DataFrame | None) -> dict[str, Any]:
    """A case's picture with its caption."""
    rows = None if cases is None else cases[cases["case"] == case]
    text = case if rows is None or rows.empty else f"{case} ({rows['split'].iloc[0]}): {caption(rows)}"
    return {"case": case, "image": photograph(path, text), "caption": text}


def case_volumes(source: Any, params: Mapping[str, Any]) -> Callable[[str], Volumes]:
    """Function that reads image, segmentation and label (None if missing) of a segmented case by its name."""
    files = dict(zip(params["segmented"], zip(source.images, source.segmentations, strict=True), strict=True))
    labels = dict(zip(params["measured"], source.get("labels", []), strict=True))

    def read(case: str) -> Volumes:
        image, segmentation = (read_nifti(path) for path in files[case])
        return image, segmentation, read_nifti(labels[case]) if case in labels else None

    return read


def viewed(cases: pd.DataFrame | None, params: Mapping[str, Any]) -> list[str]:
    """The cases of the viewers: spread from the worst to the best, or the first ones if nothing was measured."""
    most: int = params["viewer_cases"]
    return params["segmented"][:most] if cases is None else looked_through(cases, most)


def previews(
    source: Any, params: Mapping[str, Any], cases: pd.DataFrame | None, window_hu: tuple[float, float]
) -> Markup:
    """Volumes of the slice viewer as JSON; empty if the viewer has no case."""
    read, volumes = case_volumes(source, params), []
    for case in viewed(cases, params):
        image, segmentation, label = read(case)
        name = case if cases is None else f"{case}: {caption(cases[cases['case'] == case])}"
        volumes.append({"name": name, **preview(image, segmentation, label, window_hu)})
    # Inside a script element only its end tag has a meaning, so only `</` is escaped.
    return Markup(json.dumps(volumes).replace("</", "<\\/")) if volumes else Markup("")


def full_pages(source: Any, cases: Sequence[str]) -> dict[str, str]:
    """Addresses, relative to the report, of the pages at full resolution by case; empty without such pages."""
    return {case: f"{Path(source.viewer).name}/{case}.html" for case in cases} if source.get("viewer") else {}
