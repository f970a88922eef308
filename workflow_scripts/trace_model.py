"""Write the provenance of the model: each job that led to it, without times and hardware."""

from ctseg.files import write_json
from ctseg.provenance.job_records import relative, study_folder
from ctseg.provenance.manifest import timeless_manifest
from job import job

with job(snakemake) as log:
    study = study_folder(snakemake.log[0])
    manifest = timeless_manifest(study, relative(snakemake.input, study))
    log.info("made by %d jobs", len(manifest["jobs"]))
    write_json(snakemake.output.provenance, manifest)
