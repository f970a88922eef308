"""Segment a case with the model that was not trained on it, and try thresholds and postprocessing."""

from dataclasses import asdict

from ctseg.decisions import decided
from ctseg.engines import load_engine
from ctseg.files import read_json, write_text
from ctseg.lungs import plausible_lungs
from ctseg.predict import infer
from ctseg.tuning import KEYS, candidates, scores
from ctseg.volume import read_nifti, write_nifti
from job import job

with job(snakemake) as log:
    step = snakemake.params.step
    decisions = read_json(snakemake.input.plan)
    tried = candidates(step["postprocess"], decided(decisions, "smallest_component_mm3"))
    engine = load_engine(snakemake.input.model, snakemake.threads, step["engine"])
    lungs = plausible_lungs(snakemake.input.get("lungs"), snakemake.input.get("lungs_facts"))
    lowest = min(candidate.threshold for candidate in tried)
    image, label = read_nifti(snakemake.input.image), read_nifti(snakemake.input.label)
    maps = infer(image, lungs, engine, threshold=lowest, certainty=True, batch_size=step["batch_size"])
    restrict = step["postprocess"]["restrict_to_region"] and engine.card.preparation.region == "lungs"
    lines = ["\t".join(["case", "label", *KEYS, "dice"])]
    for row in scores(maps.labels, maps.certainty, label, tried, len(step["labels"]), restrict, lungs):
        values = [row["threshold"], row["min_volume_mm3"], row["keep_largest"], f"{row['dice']:.6f}"]
        lines.append("\t".join(map(str, [snakemake.wildcards.case, step["labels"][row["label"] - 1], *values])))
    log.info("%d candidates, from %s on", len(tried), asdict(tried[0]))
    write_nifti(maps.labels, snakemake.output.classes)
    write_nifti(maps.certainty, snakemake.output.certainty)
    write_text(snakemake.output.scores, "\n".join(lines) + "\n")
