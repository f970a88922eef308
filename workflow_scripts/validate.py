"""Segment a case with the model that was not trained on it, and try thresholds and postprocessing."""

from dataclasses import asdict

from ctseg.decisions import decided
from ctseg.files import read_json, write_table
from ctseg.inference.case_settings import settings_of
from ctseg.inference.engine_server import segment
from ctseg.lungs.segment import plausible_lungs
from ctseg.scans.nifti import read_nifti
from ctseg.tuning.thresholds import KEYS, candidates, scores
from job import job

with job(snakemake) as log:
    params, found, written = snakemake.params.settings, snakemake.input, snakemake.output
    task = {
        **{name: found[name] for name in ("image", "model")},
        **{name: found.get(name, "") for name in ("lungs", "lungs_facts")},
        **{name: written[name] for name in ("candidates", "certainty")},
        **settings_of(params, snakemake.resources, snakemake.threads),
    }
    log.info("%s", segment(task, snakemake.resources.cases_per_job, snakemake.params.code))
    plan = read_json(found.plan)
    tried = candidates(params["postprocess"], decided(plan, "smallest_component_mm3"))
    restrict = params["postprocess"]["restrict_to_region"] and decided(plan, "region") == "lungs"
    lungs = plausible_lungs(found.get("lungs"), found.get("lungs_facts"))
    maps = (read_nifti(written[name]) for name in ("candidates", "certainty"))
    rows = [
        {**row, "case": snakemake.wildcards.case, "label": params["labels"][row["label"] - 1]}
        for row in scores(*maps, read_nifti(found.label), tried, len(params["labels"]), restrict, lungs)
    ]
    log.info("%d candidates, from %s on", len(tried), asdict(tried[0]))
    formats = dict.fromkeys(["case", "label", *KEYS], "") | {"dice": ".6f"}
    write_table(written.scores, formats, rows)
