"""Compare every result, and every file that the user gave, with what the study's manifest says of it."""

from pathlib import Path

from ctseg.provenance.job_records import study_folder
from ctseg.provenance.manifest import differences, model_difference, read_manifest, require_none
from job import job

with job(snakemake) as log:
    study, step = study_folder(snakemake.log[0]), snakemake.params.step
    manifest = read_manifest(Path(step["manifest"]))
    problems, compared = differences(study, manifest, step["sources"], step["passing"], snakemake.threads)
    problems += model_difference(Path(step["card"]), Path(step["provenance"]))
    require_none(problems, study)
    log.info("%d files and folders are as the manifest says", compared)
    print(f"\nctseg: {study}: {compared} files and folders are as the manifest says\n")
