"""The lung field by threshold: air enclosed by the body, without the airways, closed over growths on the pleura.

The method is the usual one (Hu, Hoffman, Reinhardt, IEEE TMI 2001: threshold, airways, closing), at a coarse voxel
size.
"""

import cc3d
import numpy as np
from scipy import ndimage

from ctseg.geometry.resample import Box, bounding_box, grow_box
from ctseg.geometry.volume import LEEWAY_MM, Grid, Volume, whole_up

LUNG_HU = -400  # between aerated lung and soft tissue, well above ground glass
AIRWAY_HU = (-880, -900, -920, -940, -960)  # the loosest threshold without a leak of the airway into the lung is used
AIRWAY_CM3 = (4.0, 100.0)  # volume of trachea and main bronchi; the scan may cut the trachea's upper part
AIRWAY_HEIGHT_MM = 40.0
AIRWAY_OFF_MIDLINE_MM = 40.0
AIRWAY_WALL_MM = TRUNK_RADIUS_MM = 4.0  # a bronchus thinner than this stays with the lung
TRUNK_REACH_MM = TRUNK_RADIUS_MM + LEEWAY_MM
CLOSING_MM = 12.0  # includes pleural nodules with a width up to about twice this value
SMALLEST_LUNG_CM3 = 150.0
BODY_SHARE = 0.2  # of the largest solid piece; the body may split in two where its wall is thin
SMALLER_LUNG_SHARE = 0.15  # of the larger one; a collapsed lung can be small, bowel gas near a lung is smaller


def threshold_lungs(coarse: Volume) -> np.ndarray:
    """The lung field of an image on the working grid, as a boolean mask `[z, y, x]`; empty if no lung is found."""
    air = _body_air(coarse) & _body_box(coarse)
    airways = _airways(air, coarse)
    lungs = _two_lungs(air & ~_dilated(airways, AIRWAY_WALL_MM, coarse.grid), coarse.grid)
    # The closing fills narrow gaps again, including the trachea between the lungs.
    return _closed(lungs, coarse.grid) & ~_trunk(airways, coarse.grid)


def _body_air(coarse: Volume) -> np.ndarray:
    """Mask of the air enclosed by the body in its axial slice: lungs, airways, bowel.

    The top and bottom slice do not count as an opening: lungs are often cut there.
    """
    air = coarse.voxels_zyx < LUNG_HU
    # A frame of air around each slice joins all air that reaches its border; slices are labelled one by one.
    framed = np.pad(air, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    outside = np.stack([ndimage.label(layer)[0] for layer in framed])
    return air & (outside != outside[:, :1, :1])[:, 1:-1, 1:-1]


def _body_box(coarse: Volume) -> np.ndarray:
    """Mask of the box around the body, without the foam in the table's shell below, which is enclosed air too."""
    # Opening by 3 voxels removes the table's thin shell and separates it from the patient's back.
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
    """Mask of the two largest components of enclosed air, each only if it is large enough to be a lung."""
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
    """Mask of trachea and main bronchi: a tall tube of pure air near the midline, in the upper half of enclosed air.

    Lung and airway overlap in density, so the threshold follows the scan: the loosest one at which the tube still has
    the volume of an airway, that is, has not leaked into the lung. Empty if no tube is found.
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
    """Mask of the wide part of the airways: an opening with a ball of `TRUNK_RADIUS_MM`."""
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
    """Close each lung separately with a ball, so that vessels and pleural nodules are included, then fill holes.

    Closing both together would bridge the mediastinum between them. Components below a third of `SMALLEST_LUNG_CM3`
    are left out.
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
        # A closed part remains in the box of the original part; the padding is room for the dilation.
        margins = [whole_up(CLOSING_MM / spacing) + 1 for spacing in grid.spacing_zyx_mm]
        padded = np.pad(part[box], [(margin, margin) for margin in margins])
        near = ndimage.distance_transform_edt(~padded, sampling=grid.spacing_zyx_mm) <= reach_mm
        ball = ndimage.distance_transform_edt(near, sampling=grid.spacing_zyx_mm) > reach_mm
        z, y, x = (slice(margin, -margin) for margin in margins)
        closed[box] |= ndimage.binary_fill_holes(ball)[z, y, x]
    return closed
