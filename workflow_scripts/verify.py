"""Compare every result, and every file of the user, with its hash in the study's manifest."""

from pathlib import Path

from ctseg.provenance.job_records import study_folder
from ctseg.provenance.manifest import differences, model_difference, read_manifest, require_none
from job import job

with job(snakemake) as log:
    study, params = study_folder(snakemake.log[0]), snakemake.params.settings
    manifest = read_manifest(Path(params["manifest"]))
    passing = frozenset(map(Path, params["passing"]))
    problems, compared = differences(study, manifest, params["sources"], passing, snakemake.threads)
    problems += model_difference(Path(params["card"]), Path(params["provenance"]))
    require_none(problems, study)
    log.info("%d files and folders are as the manifest says", compared)
    print(f"\nctseg: {study}: {compared} files and folders are as the manifest says\n")
