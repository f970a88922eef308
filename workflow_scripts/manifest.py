"""Write the study's manifest: every job that led to its results, with hashes of the files read and written."""

from pathlib import Path

from ctseg.files import write_json
from ctseg.provenance.job_records import relative, study_folder
from ctseg.provenance.manifest import study_manifest
from job import job

with job(snakemake) as log:
    study, params = study_folder(snakemake.log[0]), snakemake.params.settings
    workflow = Path(__file__).parents[1]
    manifest = study_manifest(study, relative(snakemake.input, study), params["config"], workflow)
    log.info("%d jobs", len(manifest["jobs"]))
    write_json(snakemake.output.manifest, manifest)
