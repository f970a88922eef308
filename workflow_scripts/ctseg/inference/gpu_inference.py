"""Segmentation of a scan on the device that the network runs on, from HU to the label map.

The scan is copied to the device as int16, and the uint8 maps are copied back. All steps in between run on the device,
the same as on a processor (see `predict.infer`), slab by slab within the given memory.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ctseg.errors import MachineError
from ctseg.geometry import mapped_arrays
from ctseg.geometry.resample import orient
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.gpu_grid import NativeRows, RowsOnDevice, parallel_places, reached_box
from ctseg.inference.gpu_labels import label_map
from ctseg.inference.gpu_windows import DeviceWindows, memory_advice, mirrored
from ctseg.inference.model_card import ModelCard
from ctseg.inference.native_grid import MATTERS_FROM, Maps
from ctseg.inference.sliding_window import Tiling
from ctseg.preprocessing.preparation import air_hu

if TYPE_CHECKING:
    from ctseg.inference.torch_engine import TorchEngine

MOST_WINDOWS = 16  # at once; more do not increase the load of a GPU
SHARE = 8  # divisor of the given memory, for each of: scan, resampling, resampling back

Progress = Callable[[int, int], None]  # called with the number of rows done, and of all rows
DEFAULT_GIB = 8.0  # default limit of a GPU's memory, and largest share of it
DEFAULT_SHARE = 0.6

Block = tuple[int, dict[str, torch.Tensor]]  # first row on the scan's grid, and the maps of the rows from there on


@dataclass(frozen=True)
class MapsWanted:
    """The maps to compute, see `native_grid.Maps`; labels need a probability of at least `threshold`."""

    threshold: float
    probability: bool = False
    entropy: bool = False
    entropy_of_found: bool = False

    @property
    def names(self) -> list[str]:
        """The names of the maps, as of the fields of `native_grid.Maps`."""
        entropy = self.entropy or self.entropy_of_found
        return ["labels", *(["low_threshold", "probability"] if self.probability else []), *["entropy"] * entropy]


@dataclass(frozen=True)
class DeviceSettings:
    """Limits for the use of the device: memory in GiB, and windows at once; None selects the default."""

    memory_gib: float | None = None
    batch_size: int | None = None

    def memory_on(self, device: torch.device) -> float:
        """Memory limit in GiB; the default depends on the device alone, since windows, thus results, follow from it."""
        if self.memory_gib is not None or device.type != "cuda":
            return self.memory_gib or DEFAULT_GIB
        whole_gib = torch.cuda.get_device_properties(device).total_memory / 2**30
        return min(DEFAULT_GIB, DEFAULT_SHARE * whole_gib)

    def windows_at_once(self, card: ModelCard, tiles: Tiling, device: torch.device) -> int:
        """The given number of windows, or as many as half of the memory holds, from 1 to `MOST_WINDOWS`."""
        window_bytes = card.window_bytes * math.prod(tiles.window_zyx)
        fitting = int(self.memory_on(device) * 2**30 / 2 // window_bytes)
        return self.batch_size or max(1, min(MOST_WINDOWS, fitting))


def infer_on_device(
    image: Volume,
    part: Volume,
    grid: Grid,
    tiles: Tiling,
    engine: "TorchEngine",
    mirror_axes: str,
    wanted: MapsWanted,
    settings: DeviceSettings,
    progress: Progress | None = None,
) -> Maps:
    """The maps of a scan on its own grid.

    `part` and `grid` are those of `preparation.network_input`, `tiles` the windows over the grid. Raises MachineError
    if the memory runs out; in the network only if it runs out with a single window at once.
    """
    device, card = engine.device, engine.card
    part_bytes = settings.memory_on(device) * 2**30 / SHARE
    window_hu = card.preparation.window_hu
    read_rows = RowsOnDevice(part, grid, window_hu, device, part_bytes)
    network = mirrored(engine.probabilities, mirror_axes)
    windows = DeviceWindows(tiles, network, len(card.labels), settings.windows_at_once(card, tiles, device), device)

    places_zyx = parallel_places(orient(image).grid, grid)
    box = reached_box(places_zyx, grid.shape_zyx)
    z, y, x = (places[along] for places, along in zip(places_zyx, box, strict=True))
    native = NativeRows((z, y, x), grid.shape_zyx, device)
    maps = {name: mapped_arrays.zeros(image.grid.shape_zyx, np.uint8) for name in wanted.names}
    # Views of the maps with the axes of the network's grid.
    turned = {name: orient(Volume(voxels, image.grid)).voxels_zyx[box] for name, voxels in maps.items()}
    waiting: Downloads | None = None
    with told_in_words(tiles):
        for first, slab in windows.slabs(read_rows, air_hu(window_hu), window_hu[0]):
            made = Downloads([(row, decided(block, wanted)) for row, block in native(first, slab, part_bytes)], device)
            # The device continues while the maps of the previous slab are written.
            if waiting:
                waiting.write(turned)
            waiting = made
            if progress:
                progress(first + slab.shape[1], grid.shape_zyx[0])
    if waiting:
        waiting.write(turned)
    return Maps(**{name: Volume(voxels, image.grid) for name, voxels in maps.items()})


@contextmanager
def told_in_words(tiles: Tiling) -> Iterator[None]:
    """Raise MachineError if memory runs out outside the network, which by itself continues with fewer windows."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise MachineError(memory_advice(tiles.window_zyx)) from None


def decided(probabilities: torch.Tensor, wanted: MapsWanted) -> dict[str, torch.Tensor]:
    """The uint8 maps [z, y, x] of float32 probabilities [class, z, y, x]; see `native_grid`."""
    made = {"labels": label_map(probabilities, wanted.threshold)}
    highest = probabilities.amax(dim=0)
    if wanted.probability:
        made["low_threshold"] = label_map(probabilities, MATTERS_FROM)
        made["probability"] = (highest * 255).round_().to(torch.uint8) * (highest >= MATTERS_FROM)
    if "entropy" in wanted.names:
        p = highest.clamp(1e-7, 1 - 1e-7)
        bits = -(p * p.log2() + (1 - p) * (1 - p).log2())
        matters = highest >= MATTERS_FROM if wanted.entropy else made["labels"] > 0
        made["entropy"] = (bits * 255).round_().to(torch.uint8) * matters
    return made


class Downloads:
    """Blocks of maps while they are copied from the device."""

    def __init__(self, blocks: list[Block], device: torch.device) -> None:
        on_gpu = device.type == "cuda"
        self._blocks = [
            (row, {name: _begun(values) if on_gpu else values for name, values in found.items()})
            for row, found in blocks
        ]
        self._copied = torch.cuda.Event() if on_gpu else None
        if self._copied:
            self._copied.record()

    def write(self, maps: dict[str, np.ndarray]) -> None:
        """Wait for the copies, and write them into the uint8 maps [z, y, x]."""
        if self._copied:
            self._copied.synchronize()
        for row, found in self._blocks:
            for name, values in found.items():
                maps[name][row : row + len(values)] = values.numpy()
                mapped_arrays.let_go(maps[name])


def _begun(values: torch.Tensor) -> torch.Tensor:
    """Start the copy of a GPU's tensor to the processor's memory, and return the tensor there."""
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    return host.copy_(values, non_blocking=True)
