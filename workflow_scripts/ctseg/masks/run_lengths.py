"""What was found in a scan as runs: stretches of voxels of one class along x.

A segmentation fills a small part of a scan, and there are as many runs as its surface is large. They tell all that its
voxels tell, so nothing here makes an array of the scan's size but `fill`, which is asked for one.

Own code, since arrays of labels cost time and memory that grow with the scan. To remove small components of 300 × 512 ×
512 voxels takes connected-components-3d 9 times as long with 20 lesions and 4 times with two lungs (1 core), and 450
MiB where runs take 3. The plain way is `cc3d.dust`, or `cc3d.connected_components` and `cc3d.statistics`; see
`docs/own_code.md`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ctseg.geometry.mapped_arrays import let_go, zeros
from ctseg.geometry.volume import Shape

SLAB_VOXELS = 2**18  # looked at in one go: a slice of 512 × 512, which fits into the processor's cache
CHUNK_RUNS = 2**15  # whose neighbours are looked up in one go
BEFORE_ZY = ((0, -1), (-1, 1), (-1, 0), (-1, -1))  # to the half of a row's neighbours that come before it


@dataclass(frozen=True)
class Runs:
    """Stretches of equal voxels along x in an array `[z, y, x]`, each as long as it can be, ordered by z, y and x.

    Run i is made of the voxels `start[i]` to `stop[i] - 1` (int32) of the row `row[i]`, which is z · rows + y (int64),
    and all of them have the class `value[i]`.
    """

    row: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    value: np.ndarray
    shape_zyx: Shape

    @property
    def length(self) -> np.ndarray:
        """How many voxels each run has, int64."""
        return (self.stop - self.start).astype(np.int64)

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The smallest box that holds all runs, of which there must be one."""
        z, y = np.divmod(self.row, self.shape_zyx[1])
        lows, highs = (z[0], y.min(), self.start.min()), (z[-1] + 1, y.max() + 1, self.stop.max())
        spans = [slice(int(low), int(high)) for low, high in zip(lows, highs, strict=True)]
        return spans[0], spans[1], spans[2]

    def chosen(self, which: np.ndarray | slice) -> "Runs":
        """Some of the runs: a mask, a slice, or rising places."""
        return Runs(self.row[which], self.start[which], self.stop[which], self.value[which], self.shape_zyx)

    def cropped(self, box_zyx: tuple[slice, slice, slice]) -> "Runs":
        """The same runs in the part of the array inside `box_zyx`, which must hold them all."""
        z, y = np.divmod(self.row, self.shape_zyx[1])
        depth, rows, columns = (axis.stop - axis.start for axis in box_zyx)
        row, x = (z - box_zyx[0].start) * rows + y - box_zyx[1].start, box_zyx[2].start
        return Runs(row, self.start - x, self.stop - x, self.value, (depth, rows, columns))


@dataclass(frozen=True)
class Components:
    """The connected components of a segmentation: its runs, and the component of each run (int32), numbered from 0.

    Numbers follow the order of the first voxels.
    """

    runs: Runs
    of_run: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """How many voxels each component has, int64."""
        return component_sizes(self.runs, self.of_run)

    def chosen(self, which: np.ndarray) -> "Components":
        """Those that a mask `[component]` chooses, numbered anew: what is left has the same components as before."""
        runs = which[self.of_run]
        return Components(self.runs.chosen(runs), (np.cumsum(which) - 1)[self.of_run[runs]].astype(np.int32))


def find_components(voxels_zyx: np.ndarray) -> Components:
    """The connected components of each class of a segmentation; see `find_runs` and `number_components`."""
    runs = find_runs(voxels_zyx)
    return Components(runs, number_components(runs))


def find_runs(voxels_zyx: np.ndarray) -> Runs:
    """The runs of the classes 1…n of a segmentation, or of the true voxels of a mask; 0 is background.

    A slab is read at a time, so the voxels may be mapped from a file and lie in memory in any order.
    """
    if voxels_zyx.dtype == bool:
        voxels_zyx = voxels_zyx.view(np.uint8)
    depth, rows, columns = voxels_zyx.shape
    step = _slab_depth((depth, rows, columns), SLAB_VOXELS)
    found = []
    for first in range(0, depth, step):
        found.append(_runs_of_slab(voxels_zyx[first : first + step], first * rows))
        let_go(voxels_zyx)
    row, start, stop, value = (np.concatenate(column) for column in zip(*found, strict=True))
    return Runs(row, start, stop, value, (depth, rows, columns))


def _slab_depth(shape_zyx: Shape, voxels: int) -> int:
    """How many slices have about so many voxels; at least one."""
    return max(1, voxels // (shape_zyx[1] * shape_zyx[2]))


def _runs_of_slab(slab_zyx: np.ndarray, first_row: int) -> tuple[np.ndarray, ...]:
    """Row, start, stop and value of the runs of some slices; `first_row` is the number of their first row."""
    depth, rows, columns = slab_zyx.shape
    # A zero before each row, and one behind the last, keeps runs of neighbouring rows apart.
    flat = np.zeros(depth * rows * (columns + 1) + 1, slab_zyx.dtype)
    flat[:-1].reshape(depth, rows, columns + 1)[:, :, 1:] = slab_zyx
    # Places before a change; less the zeros of the row, that is the x of the first voxel after the change.
    change = np.flatnonzero(flat[1:] != flat[:-1])
    value = flat[change + 1]
    row, start = np.divmod(change[value > 0], columns + 1)
    stop = change[flat[change] > 0] - row * (columns + 1)
    return row + first_row, start.astype(np.int32), stop.astype(np.int32), value[value > 0]


def slabs(runs: Runs, voxels: int) -> Iterator[tuple[slice, slice]]:
    """Slabs of about so many voxels in which there are runs: the slices of each, and its part of the runs."""
    step = _slab_depth(runs.shape_zyx, voxels)
    firsts = np.arange(0, runs.shape_zyx[0] + step, step)
    ends = np.searchsorted(runs.row, firsts * runs.shape_zyx[1]).tolist()
    for first, (start, stop) in zip(firsts.tolist(), pairwise(ends), strict=False):
        if start < stop:
            yield slice(first, first + step), slice(start, stop)


def read_runs(runs: Runs, voxels_zyx: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """What an array of the same shape holds in the runs, a slab at a time: a part of the runs, and all their values.

    The values of a run stand together; the third array says where those of each begin, as `np.ufunc.reduceat` asks.
    Raises ValueError for an array of another shape.
    """
    if voxels_zyx.shape != runs.shape_zyx:
        raise ValueError(f"runs in an array of shape {runs.shape_zyx} are no places in one of {voxels_zyx.shape}")
    for slices, part in slabs(runs, SLAB_VOXELS):
        some = runs.chosen(part)
        flat = np.asarray(voxels_zyx[slices]).reshape(-1)
        yield part, flat[_places(some, slices.start)], np.cumsum(some.length) - some.length
        let_go(voxels_zyx)


def fill(runs: Runs) -> np.ndarray:
    """The array `[z, y, x]` that has these runs and is 0 elsewhere."""
    filled_zyx = zeros(runs.shape_zyx, runs.value.dtype)
    for slices, part in slabs(runs, SLAB_VOXELS):
        some = runs.chosen(part)
        filled_zyx[slices].reshape(-1)[_places(some, slices.start)] = np.repeat(some.value, some.length)
        let_go(filled_zyx)
    return filled_zyx


def _places(runs: Runs, first_slice: int) -> np.ndarray:
    """Where the voxels of run after run lie in the flat array of the slices from `first_slice` on."""
    _, rows, columns = runs.shape_zyx
    begins = np.cumsum(runs.length) - runs.length
    places = np.repeat((runs.row - first_slice * rows) * columns + runs.start - begins, runs.length)
    places += np.arange(places.size)
    return places


def number_components(runs: Runs) -> np.ndarray:
    """The connected component of each run (int32), numbered from 0 in the order of their first voxels.

    Voxels that share a face, an edge or a corner belong together if they are of one class.
    """
    count = runs.row.size
    pieces, n_pieces = np.empty(count, np.int32), 0
    joints = [np.empty((2, 0), np.int64)]
    for first in range(0, count, CHUNK_RUNS):
        stop = min(first + CHUNK_RUNS, count)
        here, before = _touching(runs, first, stop)
        inside = before >= first
        n_found, numbers = _connected(here[inside] - first, before[inside] - first, stop - first)
        pieces[first:stop] = numbers + n_pieces
        n_pieces += n_found
        # Runs of this chunk that touch earlier ones join pieces: few different ones, however many runs there are.
        joint = np.unique(pieces[here[~inside]] * np.int64(count) + pieces[before[~inside]])
        joints.append(np.stack(np.divmod(joint, count)))
    here, before = np.concatenate(joints, axis=1)
    return _connected(here, before, n_pieces)[1][pieces]


def component_sizes(runs: Runs, components: np.ndarray) -> np.ndarray:
    """How many voxels each component has (int64), from the number of the component of each run."""
    sizes = np.zeros(int(components.max(initial=-1)) + 1, np.int64)
    np.add.at(sizes, components, runs.length)
    return sizes


def split_runs(runs: Runs, components: np.ndarray) -> Iterator[Runs]:
    """The runs of each component of which there are any, in the order of their numbers."""
    order = np.argsort(components, kind="stable")
    for first, stop in pairwise(np.flatnonzero(np.diff(components[order], prepend=-1, append=-1))):
        yield runs.chosen(order[first:stop])


def _connected(first: np.ndarray, second: np.ndarray, count: int) -> tuple[int, np.ndarray]:
    """How many groups the links between `first` and `second` leave of `count` nodes, and the group of each node.

    Groups are numbered in the order of their first nodes.
    """
    if not count:
        return 0, np.empty(0, np.int32)
    links = coo_array((np.ones(first.size, bool), (first, second)), shape=(count, count))
    return connected_components(links, directed=False)


def _touching(runs: Runs, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of touching runs of one class of which one is of runs `first` to `stop - 1` and the other before it."""
    _, rows, columns = runs.shape_zyx
    begin = int(np.searchsorted(runs.row, runs.row[first] - rows - 1))
    # One number for row and x, in which runs rise, so that neighbours are looked up for all runs at once; a run may
    # stop at x = columns, which has to come before the next row.
    near = runs.row[begin:stop] * (columns + 1)
    starts, stops = near + runs.start[begin:stop], near + runs.stop[begin:stop]
    y = runs.row[first:stop] % rows
    pairs = []
    for z_step, y_step in BEFORE_ZY:
        step = (z_step * rows + y_step) * (columns + 1)
        low = np.searchsorted(stops, starts[first - begin :] + step, side="left")
        high = np.searchsorted(starts, stops[first - begin :] + step, side="right")
        touched = np.where((y + y_step >= 0) & (y + y_step < rows), high - low, 0)
        here = np.repeat(np.arange(first, stop), touched)
        before = np.arange(here.size) + np.repeat(begin + low - (np.cumsum(touched) - touched), touched)
        pairs.append(np.stack([here, before]))
    here, before = np.concatenate(pairs, axis=1)
    alike = runs.value[here] == runs.value[before]
    return here[alike], before[alike]
