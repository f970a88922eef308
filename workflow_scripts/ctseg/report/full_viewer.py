"""Viewer page of a scan at full resolution with its segmentation; the page opens from a file and works offline.

A page is `<name>.html`. Its volumes are in `<name>.js` in the same folder, because a page opened from a file may load
only scripts. All pages of a folder share `niivue.js`.
"""

import base64
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import jinja2
import numpy as np
from markupsafe import Markup

from ctseg.colours import class_colour
from ctseg.errors import MachineError
from ctseg.files import write_text
from ctseg.geometry.hounsfield import WINDOWS_HU
from ctseg.geometry.volume import Volume
from ctseg.masks.focus import focus_zyx
from ctseg.report.niivue import PACKAGE, niivue_script
from ctseg.scans.nifti import write_nifti

FOLDER = Path(__file__).parent / "viewer"
FULL_SCRIPTS = (FOLDER / "outlines.js", FOLDER / "full.js")
REFERENCE_COLOUR = "#ffffff"  # colour of the label; no class has it
SCRIPT = "niivue.js"


def write_full_viewer(
    folder: str | Path,
    name: str,
    image: Volume,
    segmentation: Volume,
    reference: Volume | None,
    labels: tuple[str, ...],
    window_hu: tuple[float, float],
) -> Path:
    """Write the page of a case into a folder; returns its path.

    All volumes have one grid: `image` in HU, the others with classes 1…n in the order of `labels`. The cross starts at
    `focus_zyx`. Raises MachineError if NiiVue's code is not available from its package.
    """
    code = niivue_script()
    if code is None:
        raise MachineError(f"the viewer needs the package {PACKAGE}: pip install {PACKAGE}")
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    if not (place / SCRIPT).exists():
        write_text(place / SCRIPT, code.decode())
    volumes = {"scan": image, "segmentation": segmentation} | ({"label": reference} if reference else {})
    packed = {key: _packed(volume) for key, volume in volumes.items()}
    write_text(place / f"{name}.js", f"const packed = {json.dumps(packed)};\n")
    focus = np.array([focus_zyx(reference.voxels_zyx if reference else None, segmentation.voxels_zyx)])
    content = {
        "window": list(window_hu),
        "windows": {key: list(limits) for key, limits in WINDOWS_HU.items()},
        "at_xyz_mm": image.grid.points_xyz_mm(focus)[0].tolist(),
        "classes": [
            {"name": label, "colour": class_colour(number), "shown": True} for number, label in enumerate(labels, 1)
        ],
        "own_colour": REFERENCE_COLOUR,
    }
    write_text(place / f"{name}.html", _page(name, content))
    return place / f"{name}.html"


def _packed(volume: Volume) -> str:
    """The volume as a .nii.gz file in base64."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "volume.nii.gz"
        write_nifti(volume, path)
        return base64.b64encode(path.read_bytes()).decode()


def _page(name: str, content: dict[str, object]) -> str:
    """HTML page of a case with its scripts."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((FOLDER / "full_viewer.html").read_text(encoding="utf-8"))
    scripts = [*FULL_SCRIPTS, FOLDER / "full_page.js"]
    return template.render(
        name=name,
        volumes=f"{name}.js",
        niivue=SCRIPT,
        content=Markup(json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")),
        script=Markup("\n".join(path.read_text(encoding="utf-8") for path in scripts)),
    )
