"""Random changes of training patches, on the training device.

Geometry first (rotation, zoom, elastic deformation, flips), then what a scanner and its reconstruction vary (sharpness,
resolution, contrast, gamma, brightness, noise). Every draw follows from one NumPy generator, and so a step's changes
from the seed and the step alone. A patch is interpolated once, whatever moves it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from torch.nn import functional as F

from ctseg.deformation import FreeDeformation, PlaneDeformation, rotation_xyz
from ctseg.volume import Shape, Triple

SPATIAL_PROBABILITY = 0.5  # a patch is deformed this often: interpolation also smooths the noise away
PATCH_PROBABILITY = (
    0.25  # that a patch's sharpness, resolution, contrast or gamma change; brightness and noise always do
)
ELASTIC_SPACING_MM = 32.0  # of the points that an elastic deformation moves; it is smooth between them
SMALLEST_STOCK = 2**22  # normal values, 16 MiB
AXES = "zyx"  # of a volume

Deformation = PlaneDeformation | FreeDeformation


@dataclass(frozen=True)
class AugmentSettings:
    """What may change and how much at most; zero switches a change off. `flip_axes` holds any of "x", "y", "z".

    Rotation is about z, tilt about x and y; `scale`, `contrast` and `gamma` are fractions around 1; `elastic_mm` is the
    standard deviation of the moved points, `blur_mm` that of the blur; `low_resolution` is how much coarser voxels get.
    """

    flip_axes: tuple[str, ...]
    rotate_degrees: float = 0.0
    tilt_degrees: float = 0.0
    scale: float = 0.0
    elastic_mm: float = 0.0
    blur_mm: float = 0.0
    low_resolution: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    shift_hu: float = 0.0
    noise_hu: float = 0.0

    @property
    def deforms(self) -> bool:
        """Whether any change interpolates."""
        return any((self.rotate_degrees, self.tilt_degrees, self.scale, self.elastic_mm))

    def source_patch(self, patch_zyx: Shape, spacing_xyz_mm: Triple) -> Shape:
        """The patch to cut so that a deformation finds real voxels at the border of the patch to train on."""
        spacing_zyx_mm = np.array(spacing_xyz_mm[::-1])
        angles = [np.linspace(0, limit, 7) for limit in (self.tilt_degrees, self.tilt_degrees, self.rotate_degrees)]
        extents_mm = [
            np.abs(rotation_xyz(*degrees)[::-1, ::-1]) @ (patch_zyx * spacing_zyx_mm) for degrees in product(*angles)
        ]
        size_mm = np.max(extents_mm, axis=0) * (1 + self.scale) + 4 * self.elastic_mm
        depth, height, width = np.ceil(np.round(size_mm / spacing_zyx_mm, 6)).astype(int)
        return int(depth), int(height), int(width)


def affine_matrix(
    rng: np.random.Generator, settings: AugmentSettings, source_zyx: Shape, patch_zyx: Shape, spacing_xyz_mm: Triple
) -> np.ndarray:
    """A random rotation and zoom as a (3, 3) matrix from the patch's x, y, z to the source's, both in −1…1.

    It turns in millimetres: voxels need not be cubes.
    """
    limits = (settings.tilt_degrees, settings.tilt_degrees, settings.rotate_degrees)
    rotation = rotation_xyz(*(rng.uniform(-limit, limit) for limit in limits))
    rotation = rotation * rng.uniform(1 - settings.scale, 1 + settings.scale)
    patch_mm = np.array(patch_zyx[::-1]) * spacing_xyz_mm
    source_mm = np.array(source_zyx[::-1]) * spacing_xyz_mm
    return (rotation * patch_mm[None, :] / source_mm[:, None]).astype(np.float32)


def elastic_shifts(
    rng: np.random.Generator, settings: AugmentSettings, source_zyx: Shape, patch_zyx: Shape, spacing_xyz_mm: Triple
) -> torch.Tensor:
    """A smooth random displacement of each voxel of a patch: float32 [1, z, y, x, 3], x, y, z in the source's −1…1."""
    points = [
        max(2, round(size * mm / ELASTIC_SPACING_MM) + 1)
        for size, mm in zip(patch_zyx, spacing_xyz_mm[::-1], strict=True)
    ]
    moved_mm = rng.standard_normal((1, 3, *points), dtype=np.float32) * np.float32(settings.elastic_mm)
    moved_mm = moved_mm.clip(-2 * settings.elastic_mm, 2 * settings.elastic_mm)  # what the source patch allows for
    smooth = F.interpolate(torch.from_numpy(moved_mm), patch_zyx, mode="trilinear", align_corners=True)
    source_mm = np.array(source_zyx[::-1]) * spacing_xyz_mm
    return smooth.permute(0, 2, 3, 4, 1) * torch.from_numpy(2 / source_mm).float()


def draw_deformation(
    rng: np.random.Generator,
    settings: AugmentSettings,
    source_zyx: Shape,
    patch_zyx: Shape,
    spacing_xyz_mm: Triple,
    flips: Sequence[bool],
    device: torch.device,
) -> Deformation:
    """A random deformation of volumes [z, y, x] of `source_zyx` voxels to float32 patches.

    `flips` tells of z, y and x whether the patch is mirrored along them, too.
    """
    sizes = source_zyx, patch_zyx, spacing_xyz_mm
    matrix = affine_matrix(rng, settings, *sizes) * np.where(flips, np.float32(-1), np.float32(1))[::-1]
    shifts = elastic_shifts(rng, settings, *sizes) if settings.elastic_mm else None
    if shifts is None and not settings.tilt_degrees:
        return PlaneDeformation.of(matrix, source_zyx, patch_zyx).to(device)
    return FreeDeformation.of(matrix, patch_zyx, shifts).to(device)


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
    """Change a patch at random, and write it to `image` [z, y, x] and its classes to `masks` [class, z, y, x], all 0.

    `hu` [z, y, x] and `label` (0, or a class from 1 on) may have any type, and are of the size of
    `AugmentSettings.source_patch` where they shall be deformed. The masks become 0 and 1.
    """
    flips = [axis in settings.flip_axes and rng.random() < 0.5 for axis in AXES]
    patch_zyx: Shape = tuple(image.shape)  # type: ignore[assignment]
    if hu.shape == image.shape:
        flipped = [axis for axis, flip in enumerate(flips) if flip]
        changed = hu.flip(flipped).float()
        _write_masks(label.flip(flipped), masks, None)
    else:
        source: Shape = tuple(hu.shape)  # type: ignore[assignment]
        deform = draw_deformation(rng, settings, source, patch_zyx, spacing_xyz_mm, flips, hu.device)
        changed = deform(hu)
        _write_masks(label, masks, deform)
    image.copy_(vary_intensity(changed, spacing_xyz_mm, window_hu, settings, rng))


def _write_masks(label: torch.Tensor, masks: torch.Tensor, deform: Deformation | None) -> None:
    """Write where a label [z, y, x], deformed if told how, has each class.

    Most planes of most labels are empty, and cost nothing where planes stay planes.
    """
    filled = torch.nonzero(label.flatten(1).amax(dim=1))[:, 0]
    if not len(filled):
        return
    first, stop = int(filled[0]), int(filled[-1]) + 1
    for value, mask in enumerate(masks, start=1):
        if deform is None:
            mask[first:stop] = label[first:stop] == value
        elif isinstance(deform, PlaneDeformation):
            planes = deform.planes_of(first, stop)
            mask[planes] = deform(label[first:stop] == value, first) >= 0.5
        else:
            mask.copy_(deform(label == value) >= 0.5)


def vary_intensity(
    image: torch.Tensor,
    spacing_xyz_mm: Triple,
    window_hu: tuple[float, float],
    settings: AugmentSettings,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Change a patch's sharpness, resolution, contrast, gamma, brightness and noise; HU in, HU out, maybe in place."""
    if settings.blur_mm or settings.low_resolution:
        image = _soften(image[None, None], spacing_xyz_mm, settings, rng)[0, 0]
    if (factor := _factor(settings.contrast, rng)) != 1:
        mean = image.mean()
        image = (image - mean) * factor + mean
    if (exponent := _factor(settings.gamma, rng)) != 1:
        low, high = window_hu
        image = ((image - low) / (high - low)).clamp(0, 1) ** exponent * (high - low) + low
    if settings.shift_hu:
        image += rng.uniform(-settings.shift_hu, settings.shift_hu)
    if settings.noise_hu:
        image.add_(_noise(image, rng), alpha=rng.uniform(0, settings.noise_hu))
    return image


def _soften(
    image: torch.Tensor, spacing_xyz_mm: Triple, settings: AugmentSettings, rng: np.random.Generator
) -> torch.Tensor:
    """Blur a patch [1, 1, z, y, x] as a smooth kernel does, coarsen it as thick slices do, both or neither."""
    blurred, coarse = rng.random(2) < PATCH_PROBABILITY
    if settings.blur_mm and blurred:
        sigma_mm = rng.uniform(0, settings.blur_mm)
        for axis, spacing_mm in zip((4, 3, 2), spacing_xyz_mm, strict=True):
            image = _blur(image, axis, sigma_mm / spacing_mm)
    if settings.low_resolution and coarse:
        size = image.shape[2:]
        smaller = [max(2, round(length / rng.uniform(1, 1 + settings.low_resolution))) for length in size]
        image = F.interpolate(F.interpolate(image, smaller, mode="nearest-exact"), size, mode="trilinear")
    return image


def _blur(image: torch.Tensor, axis: int, sigma: float) -> torch.Tensor:
    """Blur along one axis; `sigma` is in voxels."""
    reach = int(np.ceil(3 * sigma))
    if not reach:
        return image
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=image.device) / sigma) ** 2)
    shape = [1, 1, 1, 1, 1]
    shape[axis] = -1
    padding = [0] * 6
    padding[2 * (4 - axis)] = padding[2 * (4 - axis) + 1] = reach
    return F.conv3d(F.pad(image, padding, mode="replicate"), (weights / weights.sum()).view(shape))


def _factor(spread: float, rng: np.random.Generator) -> float:
    """A factor around 1 if the patch is to change, else 1; 1 without a spread, too."""
    factor = rng.uniform(1 - spread, 1 + spread)
    return factor if rng.random() < PATCH_PROBABILITY else 1.0


def _noise(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Normal values for each voxel, out of a stock from a random place on: drawing took a quarter of a batch's time."""
    stock = _stock_of_noise(max(SMALLEST_STOCK, 2 * image.numel()), image.device)
    start = int(rng.integers(0, len(stock) - image.numel()))
    return torch.as_strided(stock, image.shape, image.stride(), start)


@lru_cache(maxsize=1)
def _stock_of_noise(n_values: int, device: torch.device) -> torch.Tensor:
    """The same normal values each time."""
    return torch.empty(n_values, device=device).normal_(generator=torch.Generator(device).manual_seed(0))
