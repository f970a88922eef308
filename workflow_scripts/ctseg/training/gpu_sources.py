"""Sources of the patches of a batch: cases in GPU memory, or files from which threads cut into pinned memory."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from ctseg.geometry.volume import Shape
from ctseg.training.patch_sampling import TrainingCase, common_part

WORKERS = 8  # threads that cut patches out of files

Places = Sequence[tuple[TrainingCase, np.ndarray]]  # case and first voxel (z, y, x) of each patch
# Function of places, the size (z, y, x) of all patches and the HU outside of the volumes; returns HU (int16) and labels
# (uint8), both [patch, z, y, x] on the device.
Source = Callable[[Places, Shape, float], tuple[torch.Tensor, torch.Tensor]]


def uploaded(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """Copy of a small array on the device; the processor does not wait for a GPU."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


class CasesOnDevice:
    """Source with all cases in the device's memory, concatenated; one indexing operation cuts a whole batch."""

    def __init__(self, cases: Sequence[TrainingCase], device: torch.device) -> None:
        self.device = device
        sizes = [case.image_zyx.size for case in cases]
        starts = np.cumsum([0, *sizes])
        self._offsets = {case.case: int(start) for case, start in zip(cases, starts[:-1], strict=True)}
        self._hu = torch.empty(int(starts[-1]), dtype=torch.int16, device=device)
        self._label = torch.empty(int(starts[-1]), dtype=torch.uint8, device=device)
        for case, start, size in zip(cases, starts, sizes, strict=False):
            for whole, part in ((self._hu, case.image_zyx), (self._label, case.label_zyx)):
                whole[start : start + size] = torch.from_numpy(np.array(part, order="C").ravel()).to(device)

    def __call__(self, places: Places, size_zyx: Shape, fill_hu: float) -> tuple[torch.Tensor, torch.Tensor]:
        """HU and labels of the patches; see `Source`."""
        # For each patch the memory offsets along z, y and x, concatenated, and whether these voxels are in the volume.
        along = [self._along(case, start_zyx, size_zyx) for case, start_zyx in places]
        steps, inside = (np.stack(part) for part in zip(*along, strict=True))
        z, y, x = self._axes(uploaded(steps, self.device), size_zyx)
        in_z, in_y, in_x = self._axes(uploaded(inside, self.device), size_zyx)
        indices, there = z + y + x, in_z & in_y & in_x
        return torch.where(there, self._hu[indices], int(fill_hu)), self._label[indices] * there

    def _along(self, case: TrainingCase, start_zyx: np.ndarray, size_zyx: Shape) -> tuple[np.ndarray, np.ndarray]:
        """Memory offsets of the voxels of a patch along z, y, x, concatenated, and whether they are in the volume."""
        _, height, width = shape = case.image_zyx.shape
        steps, inside = [], []
        for axis, pace in enumerate((height * width, width, 1)):
            voxels = int(start_zyx[axis]) + np.arange(size_zyx[axis])
            steps.append(np.clip(voxels, 0, shape[axis] - 1) * pace)
            inside.append((voxels >= 0) & (voxels < shape[axis]))
        steps[0] = steps[0] + self._offsets[case.case]
        return np.concatenate(steps), np.concatenate(inside)

    @staticmethod
    def _axes(rows: torch.Tensor, size_zyx: Shape) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Rows [patch, z + y + x], split into three tensors that broadcast to [patch, z, y, x]."""
        z, y, x = rows.split(size_zyx, dim=1)
        return z[:, :, None, None], y[:, None, :, None], x[:, None, None, :]


class CasesInFiles:
    """Source for cases that are not kept on the device: threads cut patches from mapped files into pinned memory."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._pool = ThreadPoolExecutor(WORKERS, "patches")

    def __call__(self, places: Places, size_zyx: Shape, fill_hu: float) -> tuple[torch.Tensor, torch.Tensor]:
        """HU and labels of the patches; see `Source`."""
        pinned = self.device.type == "cuda"
        shape = (len(places), *size_zyx)
        hu = torch.empty(shape, dtype=torch.int16, pin_memory=pinned)
        label = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)

        def cut(number: int) -> None:
            case, start = places[number]
            for volume, into, fill in ((case.image_zyx, hu, int(fill_hu)), (case.label_zyx, label, 0)):
                patch = into[number].numpy()
                source, inside = common_part(volume.shape, start, size_zyx)
                patch.fill(fill)
                patch[inside] = volume[source]

        list(self._pool.map(cut, range(len(places))))
        return hu.to(self.device, non_blocking=True), label.to(self.device, non_blocking=True)
