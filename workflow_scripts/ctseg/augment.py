"""Random changes of training patches, in batches on the training device.

Geometry first (rotation, zoom, elastic deformation, flips), then what a scanner and its reconstruction vary (sharpness,
resolution, contrast, gamma, brightness, noise). Every draw follows from one NumPy generator, and so a step's changes
from the seed and the step alone. All voxels of a batch are interpolated once, image and masks together.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from torch.nn import functional as F

from ctseg.volume import Shape, Triple

SPATIAL_PROBABILITY = 0.5  # a batch is deformed this often: interpolation also smooths the noise away
PATCH_PROBABILITY = (
    0.25  # that a patch's sharpness, resolution, contrast or gamma change; brightness and noise always do
)
ELASTIC_SPACING_MM = 32.0  # of the points that an elastic deformation moves; it is smooth between them
SMALLEST_STOCK = 2**22  # normal values, 16 MiB
AXES = {"z": 2, "y": 3, "x": 4}  # of a batch [batch, channel, z, y, x]


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


def rotation_xyz(about_x: float, about_y: float, about_z: float) -> np.ndarray:
    """The matrix of a rotation by three angles in degrees, about z last, for x, y, z vectors."""
    (cx, cy, cz), (sx, sy, sz) = (function(np.deg2rad([about_x, about_y, about_z])) for function in (np.cos, np.sin))
    around_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return around_z @ around_y @ around_x


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


def deform(
    volume: torch.Tensor, matrix: np.ndarray, patch_zyx: Shape, shifts: torch.Tensor | None = None
) -> torch.Tensor:
    """Interpolate [1, channel, z, y, x] linearly at the places that `matrix` and `shifts` give each voxel of a patch.

    Without shifts and tilt the planes stay planes, and are interpolated first in the plane and then along z: the same
    result in a quarter of the time, since torch's 2-D sampling is vectorised and its 3-D one is not.
    """
    tilted = bool(np.abs(matrix[[0, 1, 2, 2], [2, 2, 0, 1]]).max() > 0)
    affine = torch.from_numpy(np.hstack([matrix, np.zeros((3, 1), np.float32)]))
    if shifts is not None or tilted:
        grid = F.affine_grid(affine[None], [1, 1, *patch_zyx], align_corners=False)
        grid = grid if shifts is None else grid + shifts
        return F.grid_sample(volume, grid.to(volume.device), padding_mode="border", align_corners=False)
    _, channels, depth, height, width = volume.shape
    in_plane = F.affine_grid(affine[:2, [0, 1, 3]][None], [1, 1, *patch_zyx[1:]], align_corners=False)
    planes = volume.reshape(1, channels * depth, height, width)
    planes = F.grid_sample(planes, in_plane.to(volume.device), padding_mode="border", align_corners=False)
    # Voxel centres of the patch, in planes of the source, and the share of each plane in each of them.
    centres = (2 * torch.arange(patch_zyx[0]) + 1) / patch_zyx[0] - 1
    places = (((float(matrix[2, 2]) * centres + 1) * depth - 1) / 2).clamp(0, depth - 1)
    shares = (1 - (places[:, None] - torch.arange(depth)).abs()).clamp(min=0).to(volume.device)
    return (shares @ planes.reshape(channels, depth, -1)).reshape(1, channels, *patch_zyx)


def augment(
    batch: torch.Tensor,
    patch_zyx: Shape,
    spacing_xyz_mm: Triple,
    window_hu: tuple[float, float],
    settings: AugmentSettings,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Change a batch at random; patches larger than `patch_zyx` are deformed and cut to it.

    `batch` is float32 [batch, 1 + class, z, y, x], HU and a mask of 0 and 1 for each class, of the size of
    `AugmentSettings.source_patch` where it shall be deformed. Images [batch, 1, z, y, x] and masks [batch, class, z, y,
    x] come back at `patch_zyx`, the masks still 0 or 1.
    """
    images, targets = batch[:, :1], batch[:, 1:]
    source: Shape = tuple(batch.shape[2:])  # type: ignore[assignment]
    if source != tuple(patch_zyx):
        sizes = source, patch_zyx, spacing_xyz_mm
        parts = []
        for volume in batch.split(1):
            matrix = affine_matrix(rng, settings, *sizes)
            parts.append(
                deform(
                    volume, matrix, patch_zyx, elastic_shifts(rng, settings, *sizes) if settings.elastic_mm else None
                )
            )
        deformed = torch.cat(parts) if len(parts) > 1 else parts[0]
        images, targets = deformed[:, :1], (deformed[:, 1:] >= 0.5).float()
    flips = [AXES[axis] for axis in settings.flip_axes if rng.random() < 0.5]
    if flips:
        images, targets = images.flip(flips), targets.flip(flips)
    return vary_intensity(images, spacing_xyz_mm, window_hu, settings, rng), targets


def vary_intensity(
    images: torch.Tensor,
    spacing_xyz_mm: Triple,
    window_hu: tuple[float, float],
    settings: AugmentSettings,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Change each patch's sharpness, resolution, contrast, gamma, brightness and noise; HU in, HU out."""
    if settings.blur_mm or settings.low_resolution:
        images = torch.cat([_soften(image[None], spacing_xyz_mm, settings, rng) for image in images])
    if settings.contrast:
        means = images.mean((1, 2, 3, 4), keepdim=True)
        images = (images - means) * _factors(images, settings.contrast, rng) + means
    if settings.gamma:
        low, high = window_hu
        exponents = _factors(images, settings.gamma, rng)
        images = ((images - low) / (high - low)).clamp(0, 1) ** exponents * (high - low) + low
    if settings.shift_hu:
        images = images + _each(images, rng.uniform(-settings.shift_hu, settings.shift_hu, len(images)))
    if settings.noise_hu:
        strength = _each(images, rng.uniform(0, settings.noise_hu, len(images)))
        images = torch.addcmul(images, _noise(images, rng), strength)
    return images


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


def _factors(images: torch.Tensor, spread: float, rng: np.random.Generator) -> torch.Tensor:
    """A factor around 1 for each patch that is to change, and 1 for the others."""
    factors = rng.uniform(1 - spread, 1 + spread, len(images))
    return _each(images, np.where(rng.random(len(images)) < PATCH_PROBABILITY, factors, 1.0))


def _noise(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Normal values for each voxel, out of a stock from a random place on: drawing took a quarter of a batch's time."""
    n_voxels = images[0].numel()
    stock = _stock_of_noise(max(SMALLEST_STOCK, 2 * n_voxels), images.device)
    parts = [stock[start : start + n_voxels] for start in rng.integers(0, len(stock) - n_voxels, len(images))]
    return torch.stack(parts).view_as(images) if len(parts) > 1 else parts[0].view_as(images)


@lru_cache(maxsize=1)
def _stock_of_noise(n_values: int, device: torch.device) -> torch.Tensor:
    """The same normal values each time."""
    return torch.empty(n_values, device=device).normal_(generator=torch.Generator(device).manual_seed(0))


def _each(images: torch.Tensor, values: np.ndarray) -> torch.Tensor:
    """One number a patch, to combine with a batch."""
    return torch.from_numpy(values.astype(np.float32)).to(images.device).view(-1, 1, 1, 1, 1)
