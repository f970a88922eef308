"""Export the networks of one fold, for evaluation on the cases that they were not trained on."""

from ctseg.export.model_files import build_model, export_onnx, export_torchscript, model_card, read_weights
from ctseg.files import read_json
from ctseg.inference.model_card import REFERENCE
from ctseg.training.settings import network_settings, scaling_of
from job import job

# Neutral settings, because the evaluation on these cases decides on them.
NO_POSTPROCESSING = {"threshold": 0.5, "min_volume_mm3": 0.0, "keep_largest": False, "restrict_to_region": False}

with job(snakemake) as log:
    params, decisions = snakemake.params.settings, read_json(snakemake.input.plan)
    weights = read_weights(snakemake.input.weights)
    settings = network_settings(params["network"], decisions)
    model = build_model(weights, settings, len(params["labels"]), scaling_of(decisions))
    card = model_card(params, decisions, NO_POSTPROCESSING, REFERENCE, weights, model)
    export_onnx(model, card, snakemake.output.onnx)
    export_torchscript(model, card, snakemake.output.torchscript)
    log.info("exported %d networks", len(weights))
