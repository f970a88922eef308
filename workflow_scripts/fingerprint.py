"""Take the fingerprint of a training case: the facts that the plan is made from."""

from ctseg.files import write_json
from ctseg.lungs.plausibility import plausible_lungs
from ctseg.preprocessing.fingerprint import fingerprint
from ctseg.scans.nifti import read_nifti
from job import job

with job(snakemake):
    write_json(
        snakemake.output.fingerprint,
        fingerprint(
            read_nifti(snakemake.input.image),
            read_nifti(snakemake.input.label),
            plausible_lungs(snakemake.input.get("lungs"), snakemake.input.get("lungs_facts")),
            snakemake.params.settings["n_classes"],
        ),
    )
