"""Draw a case with its segmentation, its label if it has one, and the lung field if it was used."""

from ctseg.inference.model_card import read_card_file
from ctseg.jobs.refusals import usable
from ctseg.lungs.plausibility import plausible_lungs
from ctseg.report.case_picture import draw_case
from ctseg.scans.nifti import read_nifti
from job import job

with job(snakemake, spared=["label"]):
    params = snakemake.params.settings
    label = usable(snakemake.input.get("label"))
    draw_case(
        snakemake.output.figure,
        f"{params['case']} ({params['split']})",
        read_nifti(snakemake.input.image),
        read_nifti(snakemake.input.segmentation),
        None if label is None else read_nifti(label),
        plausible_lungs(snakemake.input.get("lungs"), snakemake.input.get("lungs_facts")),
        read_card_file(snakemake.input.card).preparation.window_hu,
    )
