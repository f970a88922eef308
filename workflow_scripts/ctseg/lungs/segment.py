"""The lung field: the space inside the lungs' surface, with the vessels and nodules in it.

Air inside the body that does not reach the border of the scan, without the airways, closed over what grows on the
pleura. All of it is found at a coarse voxel size, where it takes tenths of a second, and brought back to the scan.
"""

from pathlib import Path
from typing import Any

import cc3d
import numpy as np
from scipy import ndimage

from ctseg.files import read_json
from ctseg.geometry import mapped_arrays
from ctseg.geometry.resample import Box, bounding_box, grow_box, orient, resample
from ctseg.geometry.volume import AIR_HU, LEEWAY_MM, Grid, Volume, whole_down, whole_up
from ctseg.scans.nifti import read_nifti

WORKING_SPACING_MM = 2.5
LUNG_HU = -400  # between aerated lung and soft tissue, well above ground glass
AIRWAY_HU = (-880, -900, -920, -940, -960)  # the loosest is taken at which the airway does not leak into the lung
AIRWAY_CM3 = (4.0, 100.0)  # of trachea and main bronchi; the scan may cut the trachea's upper part
AIRWAY_HEIGHT_MM = 40.0
AIRWAY_OFF_MIDLINE_MM = 40.0
AIRWAY_WALL_MM = TRUNK_RADIUS_MM = 4.0  # a bronchus thinner than this stays with the lung
TRUNK_REACH_MM = TRUNK_RADIUS_MM + LEEWAY_MM
CLOSING_MM = 12.0  # a pleural nodule up to about twice this wide is taken in
# A coarse voxel of the field as a whole number, which takes a quarter of a float's memory to interpolate; and half of
# it, less one, so that exactly half counts whichever way the interpolation's last digit falls.
FULL, HALF = 200, 99
SMALLEST_LUNG_CM3 = 150.0
BODY_SHARE = 0.2  # of the largest solid piece; the body may fall in two where its wall is thin
SMALLER_LUNG_SHARE = 0.15  # of the larger one; a collapsed lung can be small, bowel gas beside a lung is smaller

PLAUSIBLE_VOLUME_CM3 = (800.0, 12_000.0)
PLAUSIBLE_MEAN_HU = (-950.0, -500.0)


def segment_lungs(image: Volume) -> Volume:
    """The lung field (uint8, 1 inside) on the image's own grid; empty where no lung is found.

    `image` holds HU in any orientation. The method is the usual one (Hu, Hoffman, Reinhardt, IEEE TMI 2001: threshold,
    airways, closing), at a coarse voxel size.
    """
    coarse = _coarse(image)
    air = _body_air(coarse) & _body_box(coarse)
    airways = _airways(air, coarse)
    lungs = _two_lungs(air & ~_dilated(airways, AIRWAY_WALL_MM, coarse.grid), coarse.grid)
    # The closing fills narrow gaps again, and the trachea between the lungs is one.
    lungs = _closed(lungs, coarse.grid) & ~_trunk(airways, coarse.grid)
    return image.with_voxels(_on_grid(lungs, coarse.grid, image.grid))


def _on_grid(lungs: np.ndarray, coarse: Grid, grid: Grid) -> np.ndarray:
    """The coarse field at the voxels of `grid` (uint8), interpolated only in the box where it can be."""
    field = mapped_arrays.zeros(grid.shape_zyx, np.uint8)
    box = bounding_box(lungs)
    if box is None:
        return field
    # The coarse voxels may end before the scan's last slice: lungs that the scan cuts go on to its very end.
    slices, rows, columns = coarse.shape_zyx
    ends = coarse.cropped((slice(-1, slices + 1), slice(0, rows), slice(0, columns)))
    scaled = Volume(np.pad(lungs, ((1, 1), (0, 0), (0, 0)), mode="edge").astype(np.uint8) * FULL, ends)
    z, y, x = (slice(axis.start - 2, axis.stop + 2) for axis in box)
    corners = grid.indices_zyx(coarse.cropped((z, y, x)).corners_xyz_mm())
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, grid.shape_zyx)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, grid.shape_zyx)
    z, y, x = (slice(int(first), int(stop)) for first, stop in zip(low, high, strict=True))
    part = Volume(field, grid).cropped((z, y, x))
    _, height, width = part.grid.shape_zyx
    for some in mapped_arrays.by_slab(part.voxels_zyx):
        slab = part.grid.cropped((some, slice(0, height), slice(0, width)))
        part.voxels_zyx[some] = resample(scaled, slab, fill=0).voxels_zyx >= HALF
    return field


def _coarse(image: Volume) -> Volume:
    """The image with axes to left, back and head, smoothed by averaging and taken at the working spacing."""
    oriented = orient(image)
    sizes = zip(oriented.grid.spacing_zyx_mm, oriented.grid.shape_zyx, strict=True)
    factors = [min(size, max(1, whole_down(WORKING_SPACING_MM / spacing))) for spacing, size in sizes]
    voxels = _block_mean(oriented.voxels_zyx, factors)
    # The centre of the first block is where the first coarse voxel lies.
    affine = oriented.grid.affine.copy()
    affine[:3, 3] = oriented.grid.points_xyz_mm(np.array([[(factor - 1) / 2 for factor in factors]]))[0]
    affine[:3, :3] *= factors[::-1]
    blocks = Volume(voxels, Grid.from_affine(affine, voxels.shape))
    spacing = tuple(max(WORKING_SPACING_MM, value) for value in blocks.grid.spacing_xyz_mm)
    return resample(blocks, blocks.grid.with_spacing(spacing), fill=AIR_HU)  # type: ignore[arg-type]


def _block_mean(voxels_zyx: np.ndarray, factors: list[int]) -> np.ndarray:
    """Mean of blocks, float32; voxels that fill no whole block at the end are left out."""
    if all(factor == 1 for factor in factors):
        return voxels_zyx.astype(np.float32)
    (fz, fy, fx), shape = factors, [size // factor for size, factor in zip(voxels_zyx.shape, factors, strict=True)]
    total = np.zeros(shape, dtype=np.float32)
    for number, plane in enumerate(total):
        for z, y, x in np.ndindex(fz, fy, fx):
            plane += voxels_zyx[number * fz + z, y : shape[1] * fy : fy, x : shape[2] * fx : fx]
        mapped_arrays.let_go(voxels_zyx)
    return total / (fz * fy * fx)


def _body_air(coarse: Volume) -> np.ndarray:
    """Air that is enclosed by the body in its axial slice: lungs, airways, bowel.

    The top and bottom slice do not count as an opening: lungs are often cut there.
    """
    air = coarse.voxels_zyx < LUNG_HU
    # A frame of air around each slice joins what reaches its border; slices are labelled one by one.
    framed = np.pad(air, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    outside = np.stack([ndimage.label(layer)[0] for layer in framed])
    return air & (outside != outside[:, :1, :1])[:, 1:-1, 1:-1]


def _body_box(coarse: Volume) -> np.ndarray:
    """True in the box around the body: the foam inside the table's shell lies below it, and is enclosed air too."""
    # Opening by 3 voxels removes the table's thin shell and parts it from the back that lies on it.
    solid = ndimage.grey_opening((coarse.voxels_zyx >= LUNG_HU).astype(np.uint8), size=3)
    pieces = cc3d.connected_components(solid, connectivity=6)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    inside = np.zeros(pieces.shape, dtype=bool)
    box = bounding_box((sizes > BODY_SHARE * sizes.max())[pieces])
    if box is not None:
        inside[box] = True
    return inside


def _two_lungs(air: np.ndarray, grid: Grid) -> np.ndarray:
    """The largest component of enclosed air, and the second largest if it is large enough to be a lung."""
    components = cc3d.connected_components(air, connectivity=6)
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    volumes_cm3 = sizes * grid.voxel_volume_mm3 / 1000
    largest = np.argsort(volumes_cm3)[::-1][:2]
    keep = [
        int(number)
        for number in largest
        if volumes_cm3[number] >= max(SMALLEST_LUNG_CM3, SMALLER_LUNG_SHARE * volumes_cm3.max())
    ]
    return np.isin(components, keep) if keep else np.zeros_like(air)


def _airways(air: np.ndarray, coarse: Volume) -> np.ndarray:
    """Trachea and main bronchi: a tall tube of pure air near the midline, in the upper half of the enclosed air.

    Lung and airway overlap in density, so the threshold follows the scan: the loosest one at which the tube still has
    the volume of an airway, that is, has not leaked into the lung. Empty where there is none.
    """
    if not air.any():
        return air
    midline = np.median(np.nonzero(coarse.voxels_zyx >= LUNG_HU)[2])
    middle = np.median(np.nonzero(air)[0])
    dz, _, dx = coarse.grid.spacing_zyx_mm
    for threshold_hu in AIRWAY_HU:
        tubes = cc3d.connected_components(air & (coarse.voxels_zyx < threshold_hu), connectivity=6)
        facts = cc3d.statistics(tubes)
        volumes_cm3 = facts["voxel_counts"] * coarse.grid.voxel_volume_mm3 / 1000
        heights_mm = np.array([box[0].stop - box[0].start for box in facts["bounding_boxes"]]) * dz
        fits = (volumes_cm3 >= AIRWAY_CM3[0]) & (volumes_cm3 <= AIRWAY_CM3[1]) & (heights_mm >= AIRWAY_HEIGHT_MM)
        fits &= np.abs(facts["centroids"][:, 2] - midline) * dx <= AIRWAY_OFF_MIDLINE_MM
        fits &= facts["centroids"][:, 0] > middle
        fits[0] = False
        if fits.any():
            return tubes == int(np.where(fits, volumes_cm3, 0).argmax())
    return np.zeros_like(air)


def _trunk(airways: np.ndarray, grid: Grid) -> np.ndarray:
    """The wide part of the airways: the places that a ball reaches."""
    core = np.zeros_like(airways)
    if airways.any():
        box = _box_around(airways, TRUNK_RADIUS_MM, grid)
        core[box] = ndimage.distance_transform_edt(airways[box], sampling=grid.spacing_zyx_mm) > TRUNK_REACH_MM
    return airways & _dilated(core, TRUNK_RADIUS_MM, grid)


def _dilated(mask: np.ndarray, radius_mm: float, grid: Grid) -> np.ndarray:
    """All voxels within the radius of the mask."""
    grown = np.zeros_like(mask)
    if mask.any():
        box = _box_around(mask, radius_mm, grid)
        grown[box] = ndimage.distance_transform_edt(~mask[box], sampling=grid.spacing_zyx_mm) <= radius_mm + LEEWAY_MM
    return grown


def _box_around(mask: np.ndarray, margin_mm: float, grid: Grid) -> Box:
    """The box of a mask that is not empty, with a margin."""
    box = bounding_box(mask)
    assert box is not None
    return grow_box(box, margin_mm, grid)


def _closed(lungs: np.ndarray, grid: Grid) -> np.ndarray:
    """Close each lung by itself with a ball, so that vessels and what sits on the pleura come in, then fill holes.

    Each lung is closed alone: closing both together would bridge the mediastinum between them.
    """
    closed = np.zeros_like(lungs)
    reach_mm = CLOSING_MM + LEEWAY_MM
    components = cc3d.connected_components(lungs, connectivity=6)
    sizes = np.bincount(components.ravel())
    for number in np.flatnonzero(sizes * grid.voxel_volume_mm3 / 1000 >= SMALLEST_LUNG_CM3 / 3):
        if number == 0:
            continue
        part = components == number
        box = _box_around(part, 0, grid)
        # A part that was closed lies in the box of what it was closed from; the padding is room for its dilation.
        margins = [whole_up(CLOSING_MM / spacing) + 1 for spacing in grid.spacing_zyx_mm]
        padded = np.pad(part[box], [(margin, margin) for margin in margins])
        near = ndimage.distance_transform_edt(~padded, sampling=grid.spacing_zyx_mm) <= reach_mm
        ball = ndimage.distance_transform_edt(near, sampling=grid.spacing_zyx_mm) > reach_mm
        z, y, x = (slice(margin, -margin) for margin in margins)
        closed[box] |= ndimage.binary_fill_holes(ball)[z, y, x]
    return closed


def check_lungs(lungs: Volume, image: Volume) -> dict[str, Any]:
    """Facts about a lung field and whether it looks like the lungs of a person.

    `volume_cm3`, `mean_hu`, `cut_fraction` (share of the scan's first and last slice that is lung, at most: lungs that
    the scan cuts), `plausible` and `reason`.
    """
    voxels, hu_sum = 0, 0
    for part in mapped_arrays.by_slab(lungs.voxels_zyx, image.voxels_zyx):
        hu = image.voxels_zyx[part][lungs.voxels_zyx[part] > 0]
        voxels, hu_sum = voxels + hu.size, hu_sum + int(hu.sum(dtype=np.int64))
    volume_cm3 = voxels * lungs.grid.voxel_volume_mm3 / 1000
    mean_hu = hu_sum / voxels if voxels else None
    reason = _implausible(volume_cm3, mean_hu)
    ends = orient(lungs).voxels_zyx[[0, -1]]
    return {
        "volume_cm3": round(volume_cm3, 1),
        "mean_hu": None if mean_hu is None else round(mean_hu, 1),
        "cut_fraction": round(float(ends.mean(axis=(1, 2)).max()), 4),
        "plausible": reason is None,
        "reason": reason or "volume and density are those of lungs",
    }


def _implausible(volume_cm3: float, mean_hu: float | None) -> str | None:
    """Why the field can't be a pair of lungs, or None."""
    if mean_hu is None:
        return "no lung was found"
    low, high = PLAUSIBLE_VOLUME_CM3
    if not low <= volume_cm3 <= high:
        return f"the volume of {volume_cm3:.0f} cm³ is not between {low:.0f} and {high:.0f}"
    low, high = PLAUSIBLE_MEAN_HU
    if not low <= mean_hu <= high:
        return f"the mean of {mean_hu:.0f} HU is not between {low:.0f} and {high:.0f}"
    return None


def plausible_lungs(lungs_path: str | Path | None, facts_path: str | Path | None) -> Volume | None:
    """The lung field in a file if its facts call it plausible; None if it is not, or if there is no file."""
    if lungs_path is None or facts_path is None or not read_json(facts_path)["plausible"]:
        return None
    return read_nifti(lungs_path)
