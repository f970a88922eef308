"""Maps on the scan's grid from probabilities on the network's grid, one slab at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from ctseg.geometry import mapped_arrays
from ctseg.geometry.resample import Box, resample
from ctseg.geometry.volume import LEEWAY_VOXELS, Grid, Volume
from ctseg.masks.label_map import label_map

MATTERS_FROM = 0.05  # a voxel with a lower probability is treated as certain background
TILE = 64  # edge of the cube interpolated at once, in voxels of the network's grid


@dataclass(frozen=True)
class Maps:
    """Results of a network on the scan's grid, all uint8 [z, y, x].

    `labels` has classes from 1 on, 0 is background. The other maps are optional. `low_threshold` has the labels at a
    threshold of `MATTERS_FROM`, and `probability` the probability of their class in 255ths. `entropy` is the network's
    uncertainty, the binary entropy of the highest probability in 255ths of a bit. It is 0 at voxels with a highest
    probability below `MATTERS_FROM`; if requested for found voxels only, it is 0 at voxels without a label.
    """

    labels: Volume
    low_threshold: Volume | None = None
    probability: Volume | None = None
    entropy: Volume | None = None


def to_native_grid(
    slabs: Iterable[tuple[int, np.ndarray]],
    grid: Grid,
    target: Grid,
    threshold: float,
    probability: bool = False,
    entropy: bool = False,
    tile: int = TILE,
    entropy_of_found: bool = False,
) -> Maps:
    """Interpolate probabilities linearly from `grid` to `target`, and compute the maps there.

    `slabs` are the first row of each slab and its probabilities [class, z, y, x], from the first row of `grid` to its
    last. A voxel of `target` is computed when the rows on both sides of it are known, and only in tiles, with `tile`
    voxels along an edge, in which a probability reaches the lowest threshold. The result is the same as without tiles:
    between values below the threshold, linear interpolation stays below it. `entropy_of_found` requests the entropy of
    the voxels in `labels` only, which takes next to no time.
    """
    wanted = {"low_threshold": probability, "probability": probability, "entropy": entropy or entropy_of_found}
    names = ["labels", *(name for name, asked in wanted.items() if asked)]
    maps = {name: mapped_arrays.zeros(target.shape_zyx, np.uint8) for name in names}
    lowest = min(threshold, MATTERS_FROM) if probability or entropy else threshold
    before: np.ndarray | None = None
    for first, slab in slabs:
        # From the previous row on, so that voxels between the slabs are computed, too.
        start = first if before is None else first - 1
        stop = first + slab.shape[1]
        for own in _tiles((start, stop), grid, tile):
            # Places in a tile are interpolated between its voxels and the first ones of the next tile.
            z, y, x = (
                slice(a, min(b + 1, size)) for (a, b), size in zip(own, (stop, *grid.shape_zyx[1:]), strict=True)
            )
            above = slab[:, max(0, z.start - first) : max(0, z.stop - first), y, x]
            block = above if before is None or z.start >= first else np.concatenate([before[:, :, y, x], above], axis=1)
            if block.max() >= lowest:
                _decide(block, (z, y, x), own, grid, target, threshold, maps, entropy)
        before = slab[:, -1:].copy()
        for voxels in maps.values():
            mapped_arrays.let_go(voxels)
    return Maps(**{name: Volume(voxels, target) for name, voxels in maps.items()})


Span = tuple[int, int]


def _tiles(rows: Span, grid: Grid, tile: int) -> Iterator[tuple[Span, Span, Span]]:
    """First and stop along z, y and x of each tile that can be computed if the voxels of `rows` are known.

    Places beyond the last known row wait for the next slab, unless the grid ends there.
    """
    ends = (rows[1] if rows[1] == grid.shape_zyx[0] else rows[1] - 1, *grid.shape_zyx[1:])
    cuts = [[*range(start, end, tile), end] for start, end in zip((rows[0], 0, 0), ends, strict=True)]
    yield from product(*(list(pairwise(cut)) for cut in cuts))


def _decide(
    block: np.ndarray,
    known: Box,
    own: tuple[Span, Span, Span],
    grid: Grid,
    target: Grid,
    threshold: float,
    maps: dict[str, np.ndarray],
    entropy_everywhere: bool,
) -> None:
    """Fill the maps at the voxels of `target` in the tile `own` of `grid`.

    `block` holds the probabilities [class, z, y, x] of the voxels `known` of `grid`. Without `entropy_everywhere` the
    entropy is computed at voxels with a label only.
    """
    # At the border of the grid a tile extends half a voxel beyond it, since no other tile covers that margin.
    low = [start if start else -0.5 for start, _ in own]
    high = [stop if stop < size else size - 0.5 for (_, stop), size in zip(own, grid.shape_zyx, strict=True)]
    corners = np.array(list(product(*zip(low, high, strict=True))))
    indices = target.indices_zyx(grid.points_xyz_mm(corners))
    first = np.clip(np.floor(indices.min(axis=0)).astype(int), 0, target.shape_zyx)
    stop = np.clip(np.ceil(indices.max(axis=0)).astype(int) + 1, 0, target.shape_zyx)
    if (first >= stop).any():
        return
    z, y, x = (slice(int(a), int(b)) for a, b in zip(first, stop, strict=True))
    places = [places_along(axis, target, grid, (z, y, x)) for axis in range(3)]
    mine = np.ones((1, 1, 1), dtype=bool)
    for axis, ((start, end), along) in enumerate(zip(own, places, strict=True)):
        mine = mine & ((along >= start) | (start == 0)) & ((along < end) | (end == grid.shape_zyx[axis]))
    if not mine.any():
        return
    window = target.cropped((z, y, x))
    moved = interpolated(block, [along - part.start for along, part in zip(places, known, strict=True)], window)
    if moved is None:
        place = grid.cropped(known)
        moved = np.stack([resample(Volume(channel, place), window, fill=0).voxels_zyx for channel in block])
    values = {"labels": label_map(moved, threshold)}
    if "probability" in maps:
        values["low_threshold"] = label_map(moved, MATTERS_FROM)
        values["probability"] = np.where(values["low_threshold"], np.rint(moved.max(axis=0) * 255), 0)
    if "entropy" in maps:
        values["entropy"] = _entropy(moved.max(axis=0), None if entropy_everywhere else values["labels"] > 0)
    for name, voxels in values.items():
        np.copyto(maps[name][z, y, x], voxels, where=mine, casting="unsafe")


def interpolated(block: np.ndarray, places: list[np.ndarray], window: Grid) -> np.ndarray | None:
    """Values [class, z, y, x] of a block, interpolated linearly at a grid's voxels, 0 outside; None for turned axes.

    `places` are their fractional indices in the block, as of `places_along`. Along parallel axes interpolation is one
    matrix product for each axis, which takes a third of the time of SimpleITK's interpolation.
    """
    axes = []
    for axis, (size, along) in enumerate(zip(block.shape[1:], places, strict=True)):
        if along.size not in (1, along.shape[axis]):
            return None
        axes.append(_shares(np.broadcast_to(along.ravel(), window.shape_zyx[axis]), size))
    z, y, x = axes
    in_plane = y @ (block @ x.T)
    return (z @ in_plane.reshape(*in_plane.shape[:2], -1)).reshape(len(block), *window.shape_zyx)


def reached(places: np.ndarray, size: int) -> np.ndarray:
    """Mask of fractional indices in `size` voxels or up to half a voxel beyond them, to `LEEWAY_VOXELS`."""
    return (places >= -0.5 - LEEWAY_VOXELS) & (places <= size - 0.5 + LEEWAY_VOXELS)


def _shares(places: np.ndarray, size: int) -> np.ndarray:
    """Interpolation weights, float32 [place, voxel], for `size` voxels along an axis; at most two in a row are not 0.

    Up to half a voxel beyond the first and the last voxel their values continue; farther away all weights are 0.
    """
    inside = reached(places, size)
    clipped = np.clip(places, 0, size - 1)
    before = np.floor(clipped).astype(int)
    shares = np.zeros((places.size, size), dtype=np.float32)
    rows = np.arange(places.size)
    shares[rows, before] = inside * (before + 1 - clipped)
    shares[rows, np.minimum(before + 1, size - 1)] += inside * (clipped - before)
    return shares


def places_along(axis: int, target: Grid, grid: Grid, box_zyx: Box) -> np.ndarray:
    """Fractional indices along an axis of `grid` (0 is z) of the voxels of `target` in a box.

    The shape [z, y, x] is that of the box, or 1 along axes without influence. A voxel has the same place in any box, to
    the last bit, so that neighbouring tiles agree on the tile that it belongs to.
    """
    *steps_xyz, offset = (np.linalg.inv(grid.affine) @ target.affine)[2 - axis]
    places = np.full((1, 1, 1), offset)
    for dimension, step in enumerate(reversed(steps_xyz)):
        if abs(step) * target.shape_zyx[dimension] > 1e-6:
            along = step * np.arange(box_zyx[dimension].start, box_zyx[dimension].stop)
            places = places + np.expand_dims(along, [other for other in range(3) if other != dimension])
    return places


def _entropy(probability: np.ndarray, where: np.ndarray | None) -> np.ndarray:
    """Binary entropy in 255ths of a bit, rounded; 0 outside the mask `where`, if given."""
    if where is None:
        return np.rint(binary_entropy(probability) * 255)
    entropy = np.zeros(probability.shape, np.uint8)
    entropy[where] = np.rint(binary_entropy(probability[where]) * 255)
    return entropy


def binary_entropy(probability: np.ndarray) -> np.ndarray:
    """Binary entropy −p log₂ p − (1 − p) log₂ (1 − p) in bits (Shannon 1948); 0 below `MATTERS_FROM`."""
    p = np.clip(probability, 1e-7, 1 - 1e-7)
    bits = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return np.where(probability < MATTERS_FROM, 0, bits)
