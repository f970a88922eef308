"""Pictures of missed and false lesions, each an axial slice through the centre of the lesion."""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ctseg.evaluation.lesion_rows import FALSE, MISSED
from ctseg.geometry.resample import orient
from ctseg.geometry.volume import Volume
from ctseg.plurals import counted
from ctseg.report.case_picture import PREDICTION, REFERENCE, draw_outline, draw_plane
from ctseg.report.html import photograph
from ctseg.report.pictures import Volumes

FIELD_MM = 60.0  # shortest edge of a picture
AROUND = 2.5  # edge in diameters of the lesion, if this is longer
INCHES = 2.6


def chosen_lesions(lesions: pd.DataFrame, split: str, most: int) -> pd.DataFrame:
    """Up to `most` missed and false lesions, half of each if enough exist; first those of `split`, then by volume.

    `lesions` are the rows of `lesion_rows`.
    """
    failed = lesions[lesions["state"].isin([MISSED, FALSE])]
    failed = failed.assign(other=failed["split"] != split).sort_values(
        ["other", "volume_cm3", "case", "lesion"], ascending=[True, False, True, True]
    )
    missed, false = (failed[failed["state"] == state].drop(columns="other") for state in (MISSED, FALSE))
    n_missed = min(len(missed), max(most - most // 2, most - len(false)))
    return pd.concat([missed.head(n_missed), false.head(most - n_missed)])


def lesion_pictures(
    chosen: pd.DataFrame, volumes: Callable[[str], Volumes], window_hu: tuple[float, float]
) -> list[dict[str, Any]]:
    """Pictures of lesions with captions, in the order of `chosen`; `volumes` reads the volumes of a case."""
    made: dict[int, dict[str, Any]] = {}
    for case, rows in chosen.groupby("case", sort=False):
        images = volumes(str(case))
        made |= dict(zip(rows.index, _of_case(rows, images, window_hu), strict=True))
    return [made[place] for place in chosen.index]


def told(lesions: pd.DataFrame, shown: int) -> str:
    """Sentence with the numbers of missed, false, and shown lesions."""
    missed, false = ((lesions["state"] == state).sum() for state in (MISSED, FALSE))
    text = f"{counted(missed, 'lesion')} missed and {false} false in all measured cases"
    return f"{text}; {shown} of them are shown, the largest ones." if shown < missed + false else f"{text}."


def _of_case(rows: pd.DataFrame, volumes: Volumes, window_hu: tuple[float, float]) -> Iterator[dict[str, Any]]:
    """Pictures and captions of the lesions `rows` of one case."""
    image, segmentation, label = (orient(volume) for volume in volumes if volume)
    for row in rows.itertuples():
        caption = f"{row.case}, {row.label}: {row.state}, {row.diameter_mm:.1f} mm, {row.volume_cm3:.2g} cm³"
        slices = _slices((image, segmentation, label), np.array([row.x_mm, row.y_mm, row.z_mm]), row.diameter_mm)
        figure, axis = plt.subplots(figsize=(INCHES, INCHES), facecolor="black")
        axis.set_position((0, 0, 1, 1))
        draw_plane(axis, slices[0], "axial", image.grid, window_hu)
        axis.set_title("")
        for mask, colour in ((slices[2] > 0, REFERENCE), (slices[1] > 0, PREDICTION)):
            draw_outline(axis, mask, colour, 1.2)
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=110, facecolor="black", metadata={"Software": None})
        plt.close(figure)
        yield {"image": photograph(buffer, caption), "caption": caption}


def _slices(volumes: tuple[Volume, ...], centre_xyz_mm: np.ndarray, diameter_mm: float) -> list[np.ndarray]:
    """Axial slice [row, column] of each volume around a point (LPS, mm), cut at the border of the scan."""
    grid = volumes[0].grid
    z, y, x = np.rint(grid.indices_zyx(centre_xyz_mm[None])[0]).astype(int)
    half_mm = max(FIELD_MM, AROUND * diameter_mm) / 2
    spacing_mm = grid.spacing_zyx_mm
    rows, columns = (
        slice(max(0, place - reach), place + reach + 1)
        for place, reach in ((y, int(half_mm / spacing_mm[1])), (x, int(half_mm / spacing_mm[2])))
    )
    return [volume.voxels_zyx[z, rows, columns] for volume in volumes]
