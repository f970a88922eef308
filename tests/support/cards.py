"""Model card for tests without a trained model."""

import torch

from ctseg.geometry.hounsfield import Scaling
from ctseg.inference.model_card import InferSettings, ModelCard
from ctseg.masks.postprocessing import PostprocessSettings
from ctseg.network.settings import NetworkSettings
from ctseg.preprocessing.preparation import Preparation

NETWORK = NetworkSettings((4, 8, 8), 1, "instance", 0.0, ((2, 2, 2),) * 2, ((3, 3, 3),) * 3)
SCALING = Scaling.of_window(-1000.0, 400.0)


CARD = ModelCard(
    labels=("tumour", "node"),
    preparation=Preparation((1.0, 1.0, 2.0), (-1000.0, 400.0), "body", 5.0),
    patch_zyx=(8, 16, 12),
    multiple_zyx=(4, 4, 4),
    window_bytes=100.0,
    infer=InferSettings("large", 0.25, mirror_axes="xy"),
    threshold=0.5,
    postprocess=PostprocessSettings(10.0, False, True),
    n_networks=2,
    training_cases=3,
    training_patients=2,
    phantom=False,
    training_hash="0" * 64,
    versions={"torch": torch.__version__},
    network=NETWORK,
    scaling=SCALING,
)
