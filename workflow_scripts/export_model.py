"""Export the networks of all members as one ONNX and one TorchScript model, and check that they compute the same."""

import json
from pathlib import Path

import torch

from ctseg.decisions import settings_from, values_of
from ctseg.evaluation.quality_flags import ranges
from ctseg.export.model_files import build_model, export_onnx, export_torchscript, model_card, read_weights
from ctseg.export.parity import compare, require_parity
from ctseg.file_hash import sha256_of
from ctseg.files import read_json, write_json
from ctseg.inference.model_card import InferSettings
from ctseg.jobs.refusals import trainable
from ctseg.training.settings import network_settings, scaling_of
from job import job

with job(snakemake) as log:
    params, decisions = snakemake.params.settings, read_json(snakemake.input.plan)
    torch.set_num_threads(snakemake.threads)
    postprocessing = values_of(read_json(snakemake.input.postprocessing))
    infer = settings_from(values_of(read_json(snakemake.input.inference)), InferSettings)
    weights = read_weights(snakemake.input.weights)
    settings = network_settings(params["network"], decisions)
    model = build_model(weights, settings, len(params["labels"]), scaling_of(decisions))
    facts = {Path(path).stem: path for path in snakemake.input.facts}
    trained_on = ranges(read_json(facts[case]) for case in trainable(list(facts), decisions, "to train on"))
    provenance = sha256_of(snakemake.input.provenance)
    card = model_card(params, decisions, postprocessing, infer, weights, model, trained_on, provenance)
    export_onnx(model, card, snakemake.output.onnx)
    export_torchscript(model, card, snakemake.output.torchscript)
    tolerances = {"float32": params["parity_tolerance"], **params["parity_tolerances"]}
    torch_on, rows = compare(model, Path(snakemake.output.onnx), settings.multiple_zyx, params["seed"])
    for row in rows:
        log.info("parity, torch being %s: %s", torch_on, row)
    require_parity(rows, tolerances, infer.precision)
    write_json(snakemake.output.card, json.loads(card.to_json()))
    write_json(snakemake.output.parity, {"tolerances": tolerances, "torch": torch_on, "sizes": rows})
