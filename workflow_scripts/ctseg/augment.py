"""Random changes of training patches, in batches on the training device.

Geometry first (flip, rotation about the body's long axis, zoom), then what a scanner varies (brightness, noise). Every
draw comes from one NumPy generator, so that a step's changes follow from the seed and the step alone.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ctseg.volume import Shape, Triple

SPATIAL_PROBABILITY = 0.5  # a batch is rotated and zoomed this often: interpolation also smooths the noise away
AXES = {"z": 2, "y": 3, "x": 4}  # of a batch [batch, channel, z, y, x]


@dataclass(frozen=True)
class AugmentSettings:
    """What may change and how much; zero switches a change off. `flip_axes` holds any of "x", "y", "z"."""

    flip_axes: tuple[str, ...]
    rotate_degrees: float
    scale: float
    noise_hu: float
    shift_hu: float

    def source_patch(self, patch_zyx: Shape) -> Shape:
        """The patch to cut so that rotation and zoom find real voxels at the border of the patch to train on."""
        angle = np.deg2rad(self.rotate_degrees)
        zoom = 1 + self.scale
        in_plane = (abs(np.cos(angle)) + abs(np.sin(angle))) * zoom
        depth, height, width = patch_zyx
        return int(np.ceil(depth * zoom)), int(np.ceil(height * in_plane)), int(np.ceil(width * in_plane))


def affine_matrix(
    rng: np.random.Generator, settings: AugmentSettings, source_zyx: Shape, patch_zyx: Shape, spacing_xyz_mm: Triple
) -> np.ndarray:
    """A random rotation about z and zoom as the (3, 4) matrix of `torch.nn.functional.affine_grid`.

    It maps the patch's coordinates to the source's, both x, y, z in −1…1, and rotates in millimetres: voxels need not
    be cubes.
    """
    angle = np.deg2rad(rng.uniform(-settings.rotate_degrees, settings.rotate_degrees))
    zoom = rng.uniform(1 - settings.scale, 1 + settings.scale)
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]) * zoom
    patch_mm = np.array(patch_zyx[::-1]) * spacing_xyz_mm
    source_mm = np.array(source_zyx[::-1]) * spacing_xyz_mm
    matrix = rotation * patch_mm[None, :] / source_mm[:, None]
    return np.hstack([matrix, np.zeros((3, 1))]).astype(np.float32)


def centre_crop(batch: torch.Tensor, patch_zyx: Shape) -> torch.Tensor:
    """The middle `patch_zyx` of a batch [batch, channel, z, y, x]."""
    starts = [(size - patch) // 2 for size, patch in zip(batch.shape[2:], patch_zyx, strict=True)]
    z, y, x = (slice(start, start + patch) for start, patch in zip(starts, patch_zyx, strict=True))
    return batch[:, :, z, y, x]


def augment(
    images: torch.Tensor,
    targets: torch.Tensor,
    patch_zyx: Shape,
    spacing_xyz_mm: Triple,
    settings: AugmentSettings,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Change a batch at random and cut it to the patch.

    `images` is float32 HU [batch, 1, z, y, x] of the source patch's size, `targets` float32 masks [batch, class, z, y,
    x]; both come back at `patch_zyx`, the targets still 0 or 1.
    """
    if rng.random() < SPATIAL_PROBABILITY and (settings.rotate_degrees or settings.scale):
        source: Shape = tuple(images.shape[2:])  # type: ignore[assignment]
        matrices = [affine_matrix(rng, settings, source, patch_zyx, spacing_xyz_mm) for _ in range(images.shape[0])]
        theta = torch.from_numpy(np.stack(matrices)).to(images.device)
        grid = F.affine_grid(theta, [images.shape[0], 1, *patch_zyx], align_corners=False)
        images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        targets = (F.grid_sample(targets, grid, align_corners=False) >= 0.5).float()
    else:
        images, targets = centre_crop(images, patch_zyx), centre_crop(targets, patch_zyx)
    flips = [AXES[axis] for axis in settings.flip_axes if rng.random() < 0.5]
    if flips:
        images, targets = images.flip(flips), targets.flip(flips)
    return vary_intensity(images, settings, rng), targets


def vary_intensity(images: torch.Tensor, settings: AugmentSettings, rng: np.random.Generator) -> torch.Tensor:
    """Shift the brightness of each patch and add noise of a random strength; HU in, HU out."""
    shape = (images.shape[0], 1, 1, 1, 1)
    shift = rng.uniform(-settings.shift_hu, settings.shift_hu, shape).astype(np.float32)
    images = images + torch.from_numpy(shift).to(images.device)
    if settings.noise_hu:
        strength = rng.uniform(0, settings.noise_hu, shape).astype(np.float32)
        noise = rng.standard_normal(images.shape, dtype=np.float32) * strength
        images = images + torch.from_numpy(noise).to(images.device)
    return images
