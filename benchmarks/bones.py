"""Network for a CPU that segments the bones of the phantom, and crops of scans, for inference.py."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow_scripts")]

from ctseg.export.model_files import export_onnx, export_torchscript, window_bytes  # noqa: E402
from ctseg.geometry.hounsfield import Scaling  # noqa: E402
from ctseg.geometry.volume import Volume  # noqa: E402
from ctseg.inference.model_card import InferSettings, ModelCard  # noqa: E402
from ctseg.masks.postprocessing import PostprocessSettings  # noqa: E402
from ctseg.network.architectures import SegmentationModel, build_network  # noqa: E402
from ctseg.network.settings import NetworkSettings  # noqa: E402
from ctseg.preprocessing.preparation import Preparation  # noqa: E402

PATCH = (96, 96, 96)
BONE_HU = 250
LARGE = InferSettings("large", 0.25)


def centre(volume: Volume, shape: tuple[int, ...]) -> Volume:
    """Central crop of `shape` (z, y, x) of a volume; too short axes are padded at their end with the border values."""
    missing = [max(0, want - have) for want, have in zip(shape, volume.grid.shape_zyx, strict=True)]
    voxels = np.pad(volume.voxels_zyx, [(0, n) for n in missing], mode="edge")
    starts = [(have - want) // 2 for want, have in zip(shape, voxels.shape, strict=True)]
    cut = voxels[tuple(slice(a, a + n) for a, n in zip(starts, shape, strict=True))]
    return Volume(cut, replace(volume.grid, shape_zyx=cut.shape))


def train(image: Volume, steps: int = 300) -> SegmentationModel:
    """Model trained to segment bone (HU above `BONE_HU`) in one scan; 300 steps take about a minute."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    settings = NetworkSettings(
        channels=(16, 32, 64, 128),
        residual_units=0,
        norm="instance",
        dropout=0.0,
        strides_zyx=((2, 2, 2),) * 3,
        kernels_zyx=((3, 3, 3),) * 4,
        architecture="dynunet",
        stem_zyx=(2, 2, 2),
    )
    network, scaling = build_network(settings, 1), Scaling.of_window(-1000.0, 400.0)
    model = SegmentationModel([network], scaling)
    optimiser = torch.optim.AdamW(network.parameters(), 0.002)
    bones = np.argwhere(image.voxels_zyx > BONE_HU)
    for _ in range(steps):
        picked = bones[rng.integers(len(bones), size=2)]
        starts = np.clip(picked - 32, 0, np.array(image.grid.shape_zyx) - 64)
        parts = [image.voxels_zyx[z : z + 64, y : y + 64, x : x + 64] for z, y, x in starts]
        hu = torch.from_numpy(np.stack(parts)[:, None].astype(np.float32))
        target = (hu > BONE_HU).float()
        found = model.train()(hu)
        loss = 1 - 2 * (found * target).sum() / (found.sum() + target.sum())
        loss = loss + torch.nn.functional.binary_cross_entropy(found, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def write_models(model: SegmentationModel, out: Path) -> None:
    """Write the model as model.onnx and model.ts, with a model card."""
    card = ModelCard(
        labels=("bone",),
        preparation=Preparation((1.0, 1.0, 1.0), (-1000.0, 400.0), "body", 10.0),
        patch_zyx=PATCH,
        multiple_zyx=(16, 16, 16),
        window_bytes=window_bytes(model, PATCH),
        infer=LARGE,
        threshold=0.5,
        postprocess=PostprocessSettings(0.0, False, False),
        n_networks=1,
        training_cases=1,
        training_hash="0" * 64,
        versions={},
    )
    export_onnx(model, card, out / "model.onnx")
    export_torchscript(model, card, out / "model.ts")
