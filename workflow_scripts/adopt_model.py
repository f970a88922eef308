"""Take over a model that was trained elsewhere: check it, and write its files, card and settings as results."""

import shutil

from ctseg.export.given_model import inference_of, postprocessing_of, require_labels
from ctseg.export.onnx_card import card_of
from ctseg.files import atomic_path, write_json, write_text
from job import job

with job(snakemake) as log:
    params, output = snakemake.params.settings, snakemake.output
    card = card_of(snakemake.input.model)
    if params["measured"]:
        require_labels(card, params["labels"])
    log.info("a model of %s, trained on %d scans", ", ".join(card.labels), card.training_cases)
    for name, path in snakemake.input.items():
        with atomic_path(output.get("onnx" if name == "model" else name)) as partial:
            shutil.copyfile(path, partial)
    write_text(output.card, card.to_json() + "\n")
    write_json(output.postprocessing, postprocessing_of(card))
    write_json(output.inference, inference_of(card))
