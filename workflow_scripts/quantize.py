"""Make a model of 8-bit integers from an exported model, with ranges measured on patches of training cases."""

from pathlib import Path

from ctseg.export.onnx_card import card_of
from ctseg.export.quantization import calibration_patches, quantize
from ctseg.jobs.refusals import left, refused_cases
from ctseg.training.prepared_cases import read_cases
from job import job

with job(snakemake) as log:
    params = snakemake.params.settings
    refused = refused_cases(snakemake.input.cases)
    names = left([case for case in params["cases"] if case not in refused], params["cases"], "to calibrate on")
    cases = read_cases(Path(params["prepared"]), names)
    card = card_of(snakemake.input.model)
    quantize(snakemake.input.model, calibration_patches(cases, card, params["seed"]), snakemake.output.int8)
    log.info("calibrated on patches of %d cases", len(cases))
