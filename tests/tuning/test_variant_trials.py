"""Trials of inference variants on cases; each engine is loaded once."""

import numpy as np
import pytest

from ctseg.inference.model_card import InferSettings
from ctseg.tuning.inference_variants import Variant
from ctseg.tuning.variant_trials import Case, Trials

PATCH, LARGE = InferSettings("patch", 0.5), InferSettings("large", 0.25)


@pytest.fixture
def trials(model_folder):
    """Trials of the ball model."""
    how = {"engine": "onnxruntime", "use_gpu": False, "threads": 1, "batch_size": 1}
    how |= {"memory_gib": 0.5, "gpu_memory_gib": None}
    postprocessing = {"threshold": 0.5, "min_volume_mm3": 0.0, "keep_largest": False, "restrict_to_region": False}
    return Trials(model_folder / "model.onnx", model_folder / "model.int8.onnx", how, postprocessing)


def test_the_first_variant_is_that_of_the_engine_that_is_asked_for(trials):
    first, *others = trials.variants("x", "auto")
    assert first == Variant("onnxruntime", PATCH)
    assert "openvino" in {variant.engine for variant in others}


def test_an_engine_is_loaded_once_a_precision(trials):
    one, other = (trials.engine_of(Variant("onnxruntime", settings)) for settings in (PATCH, LARGE))
    assert one is other
    int8 = trials.engine_of(Variant("onnxruntime", InferSettings("patch", 0.5, "int8")))
    assert int8.card.infer.precision == "int8"
    assert len(trials.engines) == 2


def test_a_case_is_measured_and_mirror_images_count_as_voxels(trials, scan):
    image, mask = scan
    case = Case(image, image.with_voxels(mask.astype(np.uint8)), None)
    found = trials.measured(Variant("onnxruntime", PATCH), case)
    mirrored = trials.measured(Variant("onnxruntime", InferSettings("patch", 0.5, mirror_axes="x")), case)
    assert found["dice"] > 0.9
    assert found["seconds"] > 0
    assert mirrored["computed_voxels"] == 2 * found["computed_voxels"] >= 2 * mask.size
