"""Segmentation of a case with all variants of inference, with the time and the Dice of each."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ctseg.decisions import settings_from
from ctseg.geometry.volume import Volume
from ctseg.inference.engines import Engine, fastest_engine, load_engine, lower_precisions
from ctseg.inference.predict import infer, tiles_for
from ctseg.masks.overlap import dice_of_classes, mean_dice
from ctseg.masks.postprocessing import PostprocessSettings, postprocess
from ctseg.preprocessing.preparation import network_input
from ctseg.tuning.inference_variants import COLUMNS, Variant, variants

logger = logging.getLogger(__name__)

# Names and formats of the columns of the table of a case.
FORMATS = dict.fromkeys(["case", *COLUMNS, "computed_voxels"], "") | {"seconds": ".3f", "dice": ".6f"}
ENGINES = ("openvino", "onnxruntime")  # to compare with the engine in use, if installed


@dataclass(frozen=True)
class Case:
    """A scan in HU, its label map on the same grid, and its lung field (None if it is not plausible)."""

    image: Volume
    label: Volume
    lungs: Volume | None


@dataclass
class Trials:
    """Runner of variants on cases; each engine is loaded once.

    `model` and `int8` are the files of a model and of its version in 8-bit integers; `how` holds the fields of
    `case_task.CaseTask` that `case_settings.settings_of` returns, `postprocessing` the values of postprocess.json.
    """

    model: Path
    int8: Path
    how: Mapping[str, Any]
    postprocessing: Mapping[str, Any]
    engines: dict[tuple[str, str], Engine] = field(default_factory=dict)

    def variants(self, flip_axes: str, overlap: float | str) -> list[Variant]:
        """Variants to compare on this machine, the reference first; see `inference_variants.variants`."""
        use_gpu, choice = self.how["use_gpu"], self.how["engine"]
        own = fastest_engine(self.model, use_gpu) if choice == "auto" else choice
        others = [name for name in ENGINES if name != own and find_spec(name)]
        return variants(own, others, lower_precisions(own, use_gpu), flip_axes, overlap)

    def rows(self, name: str, case: Case, flip_axes: str, overlap: float | str) -> list[dict[str, Any]]:
        """One row per variant, with the name of the case."""
        tried = self.variants(flip_axes, overlap)
        return [{"case": name, **variant.key, **self.measured(variant, case)} for variant in tried]

    def engine_of(self, variant: Variant) -> Engine:
        """The loaded engine of a variant."""
        key = variant.engine, variant.settings.precision
        if key not in self.engines:
            path = self.int8 if variant.settings.precision == "int8" else self.model
            self.engines[key] = load_engine(path, self.how["threads"], *key, self.how["use_gpu"])
        return self.engines[key]

    def measured(self, variant: Variant, case: Case) -> dict[str, Any]:
        """Number of computed voxels, seconds, and `mean_dice` over the labels after postprocessing."""
        engine, settings = self.engine_of(variant), variant.settings
        memory = {name: self.how[name] for name in ("memory_gib", "gpu_memory_gib")}
        sizes = memory | {"threshold": self.postprocessing["threshold"], "batch_size": self.how["batch_size"]}
        if engine.on_gpu:  # exclude work from the time that is done once per process
            infer(case.image, case.lungs, engine, settings, **sizes)
        started = time.perf_counter()
        found = infer(case.image, case.lungs, engine, settings, **sizes)
        seconds = time.perf_counter() - started
        rules = settings_from(self.postprocessing, PostprocessSettings)
        postprocessed, _ = postprocess(found.labels, rules, case.lungs, case.lungs is not None)
        dice = mean_dice(dice_of_classes(case.label.voxels_zyx, postprocessed.voxels_zyx, len(engine.card.labels)))
        _, grid = network_input(case.image, case.lungs, engine.card.preparation)
        tiles = tiles_for(grid.shape_zyx, engine, settings, **memory)
        computed = tiles.computed_voxels * 2 ** len(settings.mirror_axes)
        shown = variant.engine, settings, tiles.n_windows, tiles.window_zyx, seconds, dice
        logger.info("%s %s: %d windows of %s, %.2f s, Dice %.4f", *shown)
        return {"computed_voxels": computed, "seconds": seconds, "dice": dice}
