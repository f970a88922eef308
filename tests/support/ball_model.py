"""Network trained to segment bright balls in noise, and its model files, to compare engines."""

import numpy as np
import torch

from ctseg.export.model_files import export_onnx, export_torchscript
from ctseg.export.quantization import calibration_patches, quantize
from ctseg.geometry.hounsfield import Scaling
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.model_card import InferSettings, ModelCard
from ctseg.masks.postprocessing import PostprocessSettings
from ctseg.network.architectures import SegmentationModel, build_network
from ctseg.network.settings import NetworkSettings
from ctseg.preprocessing.find_foreground import find_foreground
from ctseg.preprocessing.preparation import Preparation
from ctseg.training.patch_sampling import TrainingCase

NETWORK = NetworkSettings((8, 16, 16), 1, "batch", 0.0, ((2, 2, 2),) * 2, ((3, 3, 3),) * 3)
CARD = ModelCard(
    labels=("ball",),
    preparation=Preparation((2.0, 2.0, 2.0), (-1000.0, 400.0), "body", 4.0),
    patch_zyx=(16, 16, 16),
    multiple_zyx=(4, 4, 4),
    window_bytes=100.0,
    infer=InferSettings("large", 0.5),
    threshold=0.5,
    postprocess=PostprocessSettings(0.0, False, False),
    n_networks=1,
    training_cases=1,
    training_hash="0" * 64,
    versions={},
    network=NETWORK,
    scaling=Scaling.of_window(-1000.0, 400.0),
)


def balls(seed, size=40):
    """HU, int16 [z, y, x], with noise and four bright balls, and the mask of the balls, bool [z, y, x]."""
    rng = np.random.default_rng(seed)
    places = np.indices((size,) * 3).reshape(3, -1).T
    mask = np.zeros(size**3, bool)
    for _ in range(4):
        mask |= np.linalg.norm(places - rng.uniform(8, size - 8, 3), axis=1) < rng.uniform(3, 6)
    mask = mask.reshape((size,) * 3)
    hu = rng.normal(-400, 80, mask.shape) + 500 * mask
    return hu.astype(np.int16), mask


def trained_model():
    """Model that segments the balls, trained for 40 steps."""
    torch.manual_seed(0)
    network = build_network(NETWORK, 1)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    scaling = CARD.scaling
    for step in range(40):
        hu, mask = balls(step % 8, 24)
        image = (torch.from_numpy(hu.astype(np.float32))[None, None] - scaling.centre_hu) / scaling.spread_hu
        target = torch.from_numpy(mask)[None, None].float()
        logits = network.train()(image)
        p = torch.sigmoid(logits)
        dice = 1 - 2 * (p * target).sum() / (p.sum() + target.sum())
        loss = dice + torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return SegmentationModel([network.eval()], scaling).eval()


def write_model(trained, folder):
    """Write model.onnx, model.ts and the 8-bit model.int8.onnx of a trained model."""
    export_onnx(trained, CARD, folder / "model.onnx")
    export_torchscript(trained, CARD, folder / "model.ts")
    write_int8(folder / "model.onnx", folder / "model.int8.onnx")


def write_int8(model, output):
    """Write the 8-bit version of an ONNX model."""
    hu, mask = balls(1)
    case = TrainingCase("a", hu, mask.astype(np.uint8), find_foreground(mask, 1, mask.size, 0))
    quantize(model, calibration_patches([case], CARD, seed=1, count=6), output)


def ball_scan():
    """Scan with 2 mm voxels that was not used for training, and the mask of its balls."""
    hu, mask = balls(100)
    grid = Grid(hu.shape, (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    return Volume(hu, grid), mask
