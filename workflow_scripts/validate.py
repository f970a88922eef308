"""Segment a case with the model that was not trained on it, and try thresholds and postprocessing."""

from dataclasses import asdict

from ctseg.decisions import decided
from ctseg.engines import load_engine
from ctseg.files import read_json, write_table
from ctseg.lungs import plausible_lungs
from ctseg.nifti import read_nifti, write_nifti
from ctseg.predict import infer
from ctseg.tuning import KEYS, candidates, scores
from job import job

with job(snakemake) as log:
    step = snakemake.params.step
    decisions = read_json(snakemake.input.plan)
    tried = candidates(step["postprocess"], decided(decisions, "smallest_component_mm3"))
    engine = load_engine(snakemake.input.model, snakemake.threads, step["engine"])
    lungs = plausible_lungs(snakemake.input.get("lungs"), snakemake.input.get("lungs_facts"))
    image, label = read_nifti(snakemake.input.image), read_nifti(snakemake.input.label)
    maps = infer(image, lungs, engine, certainty=True, batch_size=step["batch_size"])
    restrict = step["postprocess"]["restrict_to_region"] and engine.card.preparation.region == "lungs"
    rows = [
        {**row, "case": snakemake.wildcards.case, "label": step["labels"][row["label"] - 1]}
        for row in scores(maps.candidates, maps.certainty, label, tried, len(step["labels"]), restrict, lungs)
    ]
    log.info("%d candidates, from %s on", len(tried), asdict(tried[0]))
    write_nifti(maps.candidates, snakemake.output.candidates)
    write_nifti(maps.certainty, snakemake.output.certainty)
    formats = dict.fromkeys(["case", "label", *KEYS], "") | {"dice": ".6f"}
    write_table(snakemake.output.scores, formats, rows)
