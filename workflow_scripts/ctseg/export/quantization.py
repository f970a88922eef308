"""Quantisation of an exported model to 8-bit integers: faster on processors, and slightly less exact.

Static quantisation after training (Jacob et al., CVPR 2018): the range of each layer's values is measured on patches of
training cases. Only convolutions are quantised; the operations between them stay float32.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from ctseg.export.onnx_card import card_of
from ctseg.files import atomic_path
from ctseg.inference.model_card import METADATA_KEY, ModelCard
from ctseg.training.patch_sampling import PatchSampler, TrainingCase

PATCHES = 24
FOREGROUND = 0.5  # share of the patches with a target: the range must include rare values, too


def calibration_patches(
    cases: Sequence[TrainingCase], card: ModelCard, seed: int, count: int = PATCHES
) -> Iterator[np.ndarray]:
    """Patches of training cases as input of the network: float32 HU [1, 1, z, y, x], the same for the same seed."""
    found = any(one.indices.size for case in cases for one in case.foreground)
    sampler = PatchSampler(cases, FOREGROUND if found else 0.0, 1.0, card.preparation.window_hu[0])
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield sampler.patch(rng, card.patch_zyx)[0].astype(np.float32)[None, None]


def quantize(model: str | Path, patches: Iterable[np.ndarray], output: str | Path) -> None:
    """Write the model at `model` with 8-bit convolutions to `output`, atomically, with precision int8 in its card."""
    card = card_of(model)
    with _quiet(), tempfile.TemporaryDirectory(dir=Path(output).parent) as folder, atomic_path(output) as partial:
        made = Path(folder) / "model.onnx"
        quantize_static(
            str(model),
            str(made),
            _Reader(patches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "ConvTranspose"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        graph = onnx.load(made)
        told = replace(card, infer=replace(card.infer, precision="int8"))
        onnx.helper.set_model_props(graph, {METADATA_KEY: told.to_json()})
        onnx.save(graph, str(partial))


@contextmanager
def _quiet() -> Iterator[None]:
    """Disable log messages up to WARNING: ONNX Runtime advises steps that do not fit a graph of free sizes."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


class _Reader(CalibrationDataReader):
    """Source of calibration patches for ONNX Runtime."""

    def __init__(self, patches: Iterable[np.ndarray]) -> None:
        self._patches = iter(patches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next input of the model, or None at the end."""
        patch = next(self._patches, None)
        return None if patch is None else {"hu": patch}
