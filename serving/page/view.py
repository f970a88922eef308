"""Viewer of the demo page: one HTML document with linked slices, surfaces and table.

The document is in an iframe, so that scrolling and turning need no request to the server.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from scipy.ndimage import gaussian_filter
from skimage.measure import marching_cubes

from ctseg.colours import class_colour
from ctseg.digits import two_decimals
from ctseg.geometry.hounsfield import WINDOWS_HU
from ctseg.geometry.resample import bounding_box, orient, resample
from ctseg.geometry.volume import AIR_HU, Grid, Volume
from ctseg.masks.focus import focus_zyx
from ctseg.report.full_viewer import FULL_SCRIPTS, REFERENCE_COLOUR
from ctseg.report.html import TEMPLATES
from ctseg.report.slice_viewer import BODY_HU, coarse_grid, coarse_mask, packed

ASSETS = Path(__file__).with_name("assets")
MOST_TRIANGLES = 12_000  # per surface; a phone still turns them smoothly
SMOOTHING_VOXELS = 0.8
NIIVUE = "/ctseg/niivue.js"  # URL of its code, see `serving.page.routes`
SCRIPTS = ("surface.js", "viewer_page.js")
VIEWS = ("view_all", "axial", "coronal", "sagittal")
TOOLS = ("tool_move", "tool_window", "tool_zoom", "tool_measure", "tool_angle")


def scene(
    image: Volume, segmentation: Volume, components: Sequence[Mapping[str, Any]], labels: Sequence[str]
) -> dict[str, Any]:
    """Coarse copy of the scan in HU, label map, surfaces of the classes, and rows of the table, in JSON types.

    The x, y and z axes of the copy point to left, back and head; `at_zyx` of a row is a voxel index in the copy.
    """
    shown, found = orient(image), orient(segmentation)
    box = bounding_box(shown.voxels_zyx > BODY_HU)
    if box is not None:
        shown, found = shown.cropped(box), found.cropped(box)
    grid = coarse_grid(shown.grid)
    classes = np.zeros(grid.shape_zyx, np.uint8)
    for number in range(1, len(labels) + 1):
        classes[coarse_mask(found.with_voxels((found.voxels_zyx == number).astype(np.uint8)), grid)] = number
    hu = np.rint(resample(shown, grid, fill=AIR_HU).voxels_zyx).astype("<i2")
    return {
        "shape_zyx": list(grid.shape_zyx),
        "focus_zyx": list(focus_zyx(None, classes > 0)),
        "grey": packed(hu),
        "masks": packed(classes),
        "classes": [
            {"name": name, "colour": class_colour(number), "surface": surface(classes == number)}
            for number, name in enumerate(labels, start=1)
        ],
        "windows": {name: list(WINDOWS_HU[name]) for name in ("lung", "soft_tissue", "bone", "wide")},
        "rows": [_row(row, labels, grid) for row in components],
        "volume_cm3": sum(row["volume_cm3"] for row in components),
    }


def surface(mask_zyx: np.ndarray) -> dict[str, list[int]]:
    """Surface of a mask [z, y, x]: flat lists of points (x, y, z in tenths of voxels) and of 3 indices per triangle."""
    if not mask_zyx.any():
        return {"points": [], "triangles": []}
    smooth = gaussian_filter(np.pad(mask_zyx, 2).astype(np.float32), SMOOTHING_VOXELS)
    level = min(0.5, 0.6 * float(smooth.max()))  # low enough that a single voxel has a surface
    for step in range(1, 8):
        points, triangles, _, _ = marching_cubes(smooth, level, step_size=step)
        if len(triangles) <= MOST_TRIANGLES:
            break
    return {
        "points": np.rint((points[:, ::-1] - 2) * 10).astype(int).ravel().tolist(),
        "triangles": triangles.ravel().tolist(),
    }


def _row(row: Mapping[str, Any], labels: Sequence[str], grid: Grid) -> dict[str, Any]:
    """Table row of one component, with its voxel index in the coarse copy."""
    centre = [float(row[f"centroid_{axis}_mm"]) for axis in "xyz"]
    (place,) = np.rint(grid.indices_zyx(np.array([centre]))).astype(int)
    return {
        "label": f"{labels[row['label'] - 1]} {row['component']}",
        "volume": two_decimals(row["volume_cm3"]),
        "longest_diameter_mm": round(row["longest_diameter_mm"], 1),
        "centre_xyz_mm": [round(value, 2) for value in centre],
        "mean_hu": round(row["mean_hu"]),
        "colour": class_colour(row["label"]),
        "at_zyx": np.clip(place, 0, np.array(grid.shape_zyx) - 1).tolist(),
    }


def document(content: Mapping[str, Any], texts: Mapping[str, str], volumes: Mapping[str, str] | None = None) -> str:
    """HTML document of a scene, with its scripts.

    It loads no further file, unless `volumes` has the URLs of scan, segmentation and optional own label at full
    resolution; these are shown if the browser supports WebGL2.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((ASSETS / "viewer.html").read_text(encoding="utf-8"))
    given = {
        "scene": content,
        "texts": dict(texts),
        "volumes": dict(volumes or {}),
        "script": NIIVUE if volumes else "",
        "own_colour": REFERENCE_COLOUR,
    }
    told = json.dumps(given, ensure_ascii=False).replace("<", "\\u003c")
    scripts = [TEMPLATES / "viewer.js", *FULL_SCRIPTS, *(ASSETS / name for name in SCRIPTS)]
    return template.render(
        texts=texts,
        windows=content["windows"],
        views=VIEWS,
        tools=TOOLS,
        data=Markup(told),
        style=Markup((ASSETS / "viewer.css").read_text(encoding="utf-8")),
        script=Markup("\n".join(path.read_text(encoding="utf-8") for path in scripts)),
    )
