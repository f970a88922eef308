"""From a scan to what the network sees: the same function for training, evaluation and new scans."""

from dataclasses import dataclass

import numpy as np

from ctseg.intensity import clip_hu
from ctseg.resample import Box, bounding_box, grow_box, orient, resample, resample_labels
from ctseg.volume import Triple, Volume

BODY_HU = -500  # between air and the lightest tissue outside the lungs


@dataclass(frozen=True)
class Preparation:
    """How scans are brought to the network: voxel size, HU window, and the region that all work is cropped to."""

    spacing_xyz_mm: Triple
    window_hu: tuple[float, float]
    region: str  # "lungs" or "body"
    margin_mm: float


def region_box(image: Volume, lungs: Volume | None, margin_mm: float) -> Box:
    """The box around the lungs, or around the body where no lung field is given, with `margin_mm` more on each side.

    A scan in which nothing is found gives the whole scan.
    """
    mask = image.voxels_zyx > BODY_HU if lungs is None else lungs.voxels_zyx > 0
    box = bounding_box(mask)
    if box is None:
        return slice(0, mask.shape[0]), slice(0, mask.shape[1]), slice(0, mask.shape[2])
    return grow_box(box, margin_mm, image.grid)


def prepare_image(image: Volume, lungs: Volume | None, preparation: Preparation) -> Volume:
    """Crop to the region, turn to x-left, y-back, z-head, resample to the network's spacing and clip to the window.

    `image` holds HU; `lungs` is its lung field, which a preparation to the body does not use; without
    a plausible one (None) the crop is to the body, too. Returns int16 HU with its own grid.
    """
    inside = lungs if preparation.region == "lungs" else None
    cropped = orient(image.cropped(region_box(image, inside, preparation.margin_mm)))
    low_hu, _ = preparation.window_hu
    resampled = resample(cropped, cropped.grid.with_spacing(preparation.spacing_xyz_mm), fill=low_hu)
    return resampled.with_voxels(clip_hu(resampled.voxels_zyx, preparation.window_hu))


def prepare_label(label: Volume, prepared_image: Volume, n_classes: int) -> Volume:
    """The label map (uint8, 0 background, 1…n_classes) on the grid of the prepared image."""
    return resample_labels(label, prepared_image.grid, n_classes)


def foreground_indices(label_zyx: np.ndarray, n_classes: int, most: int, seed: int) -> dict[str, np.ndarray]:
    """For each class, up to `most` flat indices of its voxels, drawn without replacement.

    Patches are centred on these, so that no label volume has to be searched during training. Keys are `class_1`, ….
    """
    rng = np.random.default_rng(seed)
    chosen = {}
    for value in range(1, n_classes + 1):
        indices = np.flatnonzero(label_zyx == value)
        if indices.size > most:
            indices = np.sort(rng.choice(indices, most, replace=False))
        chosen[f"class_{value}"] = indices.astype(np.int64)
    return chosen
