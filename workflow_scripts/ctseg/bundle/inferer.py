"""Code run by a MONAI bundle of a ctseg model: the network, and an inferer with the steps of `ctseg predict`.

The configs of a bundle name both (see `write`), so the bundle produces the same mask as ctseg, with the same cautions,
in every program that runs bundles: `monai.bundle run`, MONAI Label, and 3D Slicer with MONAI Label.
"""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer
from monai.utils import convert_to_dst_type
from torch import nn

from ctseg.errors import InputError
from ctseg.evaluation.quality_flags import quality_flags
from ctseg.geometry.volume import Grid, Volume
from ctseg.inference.engines import ProcessorEngine
from ctseg.inference.model_card import ModelCard
from ctseg.inference.predict import MEMORY_GIB, predict
from ctseg.network.architectures import SegmentationModel, build_network
from ctseg.scans.nifti import LPS_FROM_RAS
from ctseg.scans.read_scan import Scan, to_hu, volume_facts
from ctseg.scans.scan_warnings import warnings_of

LOG = logging.getLogger("ctseg")
NAME = "the scan"


class BundleNetwork(nn.Module):
    """The network of a model as bundles expect it, from HU [batch, 1, z, y, x] to probabilities with background.

    The weights come from the bundle's models/model.pt. Channel 0 of [batch, 1 + class, z, y, x] is the background.
    """

    def __init__(self, card: ModelCard) -> None:
        """Build the network with random weights. Raises InputError if the card does not describe it."""
        super().__init__()
        if card.network is None or card.scaling is None:
            raise InputError("the card does not describe the network; export the model and its bundle anew")
        networks = [build_network(card.network, len(card.labels)) for _ in range(card.n_networks)]
        self.model = SegmentationModel(networks, card.scaling, card.network.exclusive)

    def forward(self, hu: torch.Tensor) -> torch.Tensor:
        """Probabilities [batch, 1 + class, z, y, x] of the background and of each class."""
        classes = self.model(hu)
        return torch.cat([1 - classes.amax(dim=1, keepdim=True), classes], dim=1)


class NetworkEngine(ProcessorEngine):
    """A network of a bundle as an engine, see `engines.Engine`."""

    name = "MONAI bundle"

    def __init__(self, card: ModelCard, network: Callable[[torch.Tensor], torch.Tensor], device: torch.device) -> None:
        """Store the network, which must be on `device`."""
        self.card, self._network, self._device = card, network, device

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probabilities [batch, class, z, y, x] of float32 HU patches [batch, 1, z, y, x]."""
        hu = torch.from_numpy(patches).to(self._device).contiguous(memory_format=torch.channels_last_3d)
        with torch.inference_mode():
            return self._network(hu)[:, 1:].float().cpu().numpy()


class CtsegInferer(Inferer):
    """Segments whole scans in HU on their own grid, with resampling, lung field, windows and postprocessing."""

    def __init__(self, card: ModelCard, memory_gib: float = MEMORY_GIB) -> None:
        """Store the card and the memory for windows in GiB."""
        super().__init__()
        self.card, self.memory_gib = card, memory_gib

    def __call__(
        self, inputs: torch.Tensor, network: Callable[..., torch.Tensor], *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """The label map, uint8 [1, 1, x, y, z], of one scan [1, 1, x, y, z], a tensor with an affine.

        Quality flags are logged as warnings. Raises InputError unless the batch is one scan with an affine, in HU.
        """
        scan = scan_of(inputs)
        engine = NetworkEngine(self.card, network, inputs.device)
        found = predict(scan.volume, engine, self.memory_gib)
        for flag in quality_flags(scan.facts, self.card, found.lungs, found.components):
            LOG.warning("%s", flag.text)
        labels = torch.from_numpy(np.ascontiguousarray(found.segmentation.voxels_zyx.T))[None, None]
        return convert_to_dst_type(labels, inputs, dtype=torch.uint8)[0]


def scan_of(inputs: torch.Tensor) -> Scan:
    """The scan in a batch of one: float or integer HU [1, 1, x, y, z] with an affine to RAS millimetres."""
    affine = getattr(inputs, "affine", None)
    if inputs.ndim != 5 or tuple(inputs.shape[:2]) != (1, 1) or affine is None:
        raise InputError(f"the inferer takes one scan [1, 1, x, y, z] with its affine, not a batch of {inputs.shape}")
    voxels_zyx = np.ascontiguousarray(inputs[0, 0].cpu().numpy().T)
    matrix = np.asarray(affine.cpu(), dtype=float).reshape(-1, 4, 4)[0]
    grid = Grid.from_affine(LPS_FROM_RAS @ matrix, voxels_zyx.shape).rounded()
    volume = Volume(to_hu(voxels_zyx, NAME), grid)
    facts = volume_facts(volume, NAME)
    return Scan(volume, facts | {"warnings": warnings_of(facts)})
