"""Export the networks of all folds as one ONNX and one TorchScript model, and prove that they compute the same."""

import torch

from ctseg.export import compare, export_onnx, export_torchscript, load_model, model_card, require_parity
from ctseg.files import read_json, write_json
from ctseg.training_settings import network_settings
from job import job

with job(snakemake) as log:
    step = snakemake.params.step
    torch.set_num_threads(snakemake.threads)
    decisions = read_json(snakemake.input.plan)
    settings = network_settings(step["network"])
    model = load_model(snakemake.input.weights, settings, len(step["labels"]), decisions["window_hu"]["value"])
    card = model_card(step, decisions, snakemake.input.weights)
    export_onnx(model, card, snakemake.output.onnx)
    export_torchscript(model, card, snakemake.output.torchscript)
    rows = compare(model, snakemake.output.onnx, snakemake.output.torchscript, settings.size_multiple, step["seed"])
    for row in rows:
        log.info("parity %s", row)
    require_parity(rows, step["parity_tolerance"])
    write_json(snakemake.output.parity, {"tolerance": step["parity_tolerance"], "sizes": rows})
