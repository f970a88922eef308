"""Segment a case with the model that was not trained on it, in every way that may be cheaper; time and Dice of each."""

import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ctseg.case_settings import settings_of
from ctseg.decisions import values_of
from ctseg.engines import Engine, fastest_engine, load_engine, lower_precisions
from ctseg.files import read_json, write_table
from ctseg.lungs import plausible_lungs
from ctseg.nifti import read_nifti
from ctseg.postprocessing import PostprocessSettings, postprocess
from ctseg.predict import infer, tiles_for
from ctseg.preparation import network_input
from ctseg.tuning import dice_of
from ctseg.variants import COLUMNS, variants
from job import job

with job(snakemake) as log:
    step = snakemake.params.step
    cleaning = values_of(read_json(snakemake.input.cleaning))
    settings = PostprocessSettings(*(cleaning[key] for key in ("min_volume_mm3", "keep_largest", "restrict_to_region")))
    image, label = read_nifti(snakemake.input.image), read_nifti(snakemake.input.label)
    lungs = plausible_lungs(snakemake.input.get("lungs"), snakemake.input.get("lungs_facts"))
    how = settings_of(step, snakemake.resources, snakemake.threads)
    use_gpu, memory = how["use_gpu"], (how["memory_gib"], how["gpu_memory_gib"])
    own = fastest_engine(Path(snakemake.input.model), use_gpu) if step["engine"] == "auto" else step["engine"]
    others = [name for name in ("openvino", "onnxruntime") if name != own and find_spec(name)]
    engines: dict[tuple[str, str], Engine] = {}
    rows = []
    for variant in variants(own, others, lower_precisions(own, use_gpu), step["flip_axes"], step["overlap"]):
        precision = variant.settings.precision
        if (variant.engine, precision) not in engines:
            path = snakemake.input.int8 if precision == "int8" else snakemake.input.model
            engines[variant.engine, precision] = load_engine(path, how["threads"], variant.engine, precision, use_gpu)
        engine = engines[variant.engine, precision]
        if engine.on_gpu:  # what is done once for all scans of a process is no scan's time
            infer(image, lungs, engine, variant.settings, gpu_memory_gib=memory[1], batch_size=how["batch_size"])
        started = time.perf_counter()
        found = infer(
            image,
            lungs,
            engine,
            variant.settings,
            memory[0],
            cleaning["threshold"],
            batch_size=how["batch_size"],
            gpu_memory_gib=memory[1],
        )
        seconds = time.perf_counter() - started
        cleaned, _ = postprocess(found.labels, settings, lungs, lungs is not None)
        dice = float(np.mean(dice_of(label.voxels_zyx, cleaned.voxels_zyx, len(engine.card.labels))))
        _, grid = network_input(image, lungs, engine.card.preparation)
        tiles = tiles_for(grid.shape_zyx, engine, variant.settings, *memory)
        computed = tiles.computed_voxels * 2 ** len(variant.settings.mirror_axes)
        log.info(
            "%s %s: %d windows of %s, %.2f s, Dice %.4f",
            variant.engine,
            variant.settings,
            tiles.n_windows,
            tiles.window_zyx,
            seconds,
            dice,
        )
        measured = {"computed_voxels": computed, "seconds": seconds, "dice": dice}
        rows.append({"case": snakemake.wildcards.case, **variant.key, **measured})
    formats = dict.fromkeys(["case", *COLUMNS, "computed_voxels"], "") | {"seconds": ".3f", "dice": ".6f"}
    write_table(snakemake.output.compared, formats, rows)
