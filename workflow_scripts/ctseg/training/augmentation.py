"""Augmentation of single training patches on a processor; `gpu_batches` augments a whole batch at once.

Geometric changes come first (rotation, zoom, elastic deformation, flips), then changes as between scanners and
reconstructions (sharpness, resolution, contrast, gamma, brightness, noise). All geometric changes of a patch together
need a single interpolation.
"""

from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional as F

from ctseg.geometry.volume import Shape, Triple
from ctseg.training.deformation import Deformation
from ctseg.training.random_changes import AugmentSettings, Changes, draw_changes, stock_size


def elastic_shifts(moved_mm: torch.Tensor, source_zyx: Shape, patch_zyx: Shape, spacing_xyz_mm: Triple) -> torch.Tensor:
    """Smooth displacement of each voxel: float32 [patch, z, y, x, 3], along x, y, z in units of the source's −1…1.

    `moved_mm` [patch, 3, z, y, x] holds the displacements of the control points in mm along x, y, z; see `Changes`.
    """
    smooth = F.interpolate(moved_mm, patch_zyx, mode="trilinear", align_corners=True)
    source_mm = np.array(source_zyx[::-1]) * spacing_xyz_mm
    scale = torch.from_numpy(2 / source_mm).float().to(moved_mm.device, non_blocking=True)
    return smooth.permute(0, 2, 3, 4, 1) * scale


def deformation_of(changes: Changes, source_zyx: Shape, patch_zyx: Shape, spacing_xyz_mm: Triple) -> Deformation:
    """Deformation of a volume [z, y, x] of `source_zyx` voxels to a float32 patch of `patch_zyx` voxels."""
    assert changes.matrix is not None
    shifts = None
    if changes.moved_mm is not None:
        shifts = elastic_shifts(torch.from_numpy(changes.moved_mm)[None], source_zyx, patch_zyx, spacing_xyz_mm)
    return Deformation.of(changes.matrix, patch_zyx, shifts)


def augment(
    hu: torch.Tensor,
    label: torch.Tensor,
    spacing_xyz_mm: Triple,
    window_hu: tuple[float, float],
    settings: AugmentSettings,
    rng: np.random.Generator,
    image: torch.Tensor,
    masks: torch.Tensor,
) -> None:
    """Change a patch at random; write its HU to `image` [z, y, x] and its classes to `masks` [class, z, y, x].

    `hu` and `label` (0 background, classes from 1), both [z, y, x], may have any type. A patch is deformed if their
    shape differs from that of `image`; it then is `AugmentSettings.source_patch`. `masks` must be all 0 before; the
    masks written are 0 and 1.
    """
    patch_zyx: Shape = tuple(image.shape)  # type: ignore[assignment]
    source: Shape = tuple(hu.shape)  # type: ignore[assignment]
    changes = draw_changes(rng, settings, source, patch_zyx, spacing_xyz_mm, source != patch_zyx)
    if changes.matrix is None:
        flipped = [axis for axis, flip in enumerate(changes.flips) if flip]
        changed = hu.flip(flipped).float()
        _write_masks(label.flip(flipped), masks, None)
    else:
        deform = deformation_of(changes, source, patch_zyx, spacing_xyz_mm)
        changed = deform(hu)
        _write_masks(label, masks, deform)
    image.copy_(vary_intensity(changed, spacing_xyz_mm, window_hu, changes))


def _write_masks(label: torch.Tensor, masks: torch.Tensor, deform: Deformation | None) -> None:
    """Write the mask of each class of a label [z, y, x] into `masks` [class, z, y, x], deformed if `deform` is given.

    Most planes of most labels are empty: without deformation only the planes from the first to the last labelled one
    are written.
    """
    filled = torch.nonzero(label.flatten(1).amax(dim=1))[:, 0]
    if not len(filled):
        return
    first, stop = int(filled[0]), int(filled[-1]) + 1
    for value, mask in enumerate(masks, start=1):
        if deform is None:
            mask[first:stop] = label[first:stop] == value
        else:
            mask.copy_(deform(label == value) >= 0.5)


def vary_intensity(
    image: torch.Tensor, spacing_xyz_mm: Triple, window_hu: tuple[float, float], changes: Changes
) -> torch.Tensor:
    """Change sharpness, resolution, contrast, gamma, brightness and noise of a HU patch [z, y, x], maybe in place."""
    if changes.blur_mm or changes.coarse_zyx:
        image = _soften(image[None, None], spacing_xyz_mm, changes)[0, 0]
    if changes.contrast != 1:
        mean = image.mean()
        image = (image - mean) * changes.contrast + mean
    if changes.gamma != 1:
        low, high = window_hu
        image = ((image - low) / (high - low)).clamp(0, 1) ** changes.gamma * (high - low) + low
    if changes.shift_hu:
        image += changes.shift_hu
    if changes.noise_hu:
        image.add_(_noise(image, changes.noise_start), alpha=changes.noise_hu)
    return image


def _soften(image: torch.Tensor, spacing_xyz_mm: Triple, changes: Changes) -> torch.Tensor:
    """Blur (like a smooth kernel) and coarsen (like thick slices) a patch [1, 1, z, y, x]; each step is optional."""
    if changes.blur_mm:
        for axis, spacing_mm in zip((4, 3, 2), spacing_xyz_mm, strict=True):
            image = _blur(image, axis, changes.blur_mm / spacing_mm)
    if changes.coarse_zyx:
        coarse = F.interpolate(image, changes.coarse_zyx, mode="nearest-exact")
        image = F.interpolate(coarse, image.shape[2:], mode="trilinear")
    return image


def blur_weights(sigma: float) -> np.ndarray:
    """Gaussian weights of a blur along an axis, float32 [2 · reach + 1] with sum 1; `sigma` is in voxels."""
    reach = int(np.ceil(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    return (weights / weights.sum()).astype(np.float32)


def _blur(image: torch.Tensor, axis: int, sigma: float) -> torch.Tensor:
    """Blur an image [1, 1, z, y, x] along one of its axes; `sigma` is in voxels."""
    weights = torch.from_numpy(blur_weights(sigma))
    reach = len(weights) // 2
    if not reach:
        return image
    shape = [1, 1, 1, 1, 1]
    shape[axis] = -1
    padding = [0] * 6
    padding[2 * (4 - axis)] = padding[2 * (4 - axis) + 1] = reach
    return F.conv3d(F.pad(image, padding, mode="replicate"), weights.view(shape))


def _noise(image: torch.Tensor, start: int) -> torch.Tensor:
    """Standard normal value of each voxel, from the stock: drawing new values took a quarter of a batch's time."""
    stock = stock_of_noise(stock_size(image.shape), image.device)
    return torch.as_strided(stock, image.shape, image.stride(), start)


@lru_cache(maxsize=1)
def stock_of_noise(n_values: int, device: torch.device) -> torch.Tensor:
    """`n_values` standard normal values, float32, the same ones for each call."""
    return torch.empty(n_values, device=device).normal_(generator=torch.Generator(device).manual_seed(0))
