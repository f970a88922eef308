"""Write the study as a Workflow Run RO-Crate: add metadata and a copy of the workflow to the results."""

import shutil
from pathlib import Path

from ctseg.files import read_json, write_json
from ctseg.provenance.job_records import study_folder
from ctseg.provenance.ro_crate import study_crate
from job import job

PARTS = ("Snakefile", "config.yaml", "requirements.txt", "LICENSE", "rules", "workflow_scripts", "envs")

with job(snakemake) as log:
    study, copied = study_folder(snakemake.log[0]), Path(snakemake.output.workflow)
    for part in map(Path(__file__).parents[1].joinpath, PARTS):
        if part.is_dir():
            shutil.copytree(part, copied / part.name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            copied.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(part, copied / part.name)
    manifest = read_json(snakemake.input.manifest)
    crate = study_crate(manifest, study, f"{copied.relative_to(study)}/", snakemake.params.settings["licence"])
    write_json(snakemake.output.metadata, crate.metadata.generate())
    log.info("%d jobs", len(manifest["jobs"]))
