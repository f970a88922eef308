"""Write a segmentation as DICOM objects that refer to the scan's series."""

from pathlib import Path

from ctseg.dicom.label_reference import read_reference
from ctseg.dicom.series import choose_stack
from ctseg.dicom_export.findings import Findings
from ctseg.dicom_export.write import write_objects
from ctseg.file_hash import sha256_of
from ctseg.inference.model_card import read_card_file
from ctseg.masks.components import measure_components
from ctseg.scans.nifti import read_nifti
from job import job

with job(snakemake) as log:
    params, source = snakemake.params.settings, snakemake.input
    segmentation = read_nifti(source.segmentation)
    findings = Findings(
        segmentation,
        read_card_file(source.card).labels,
        measure_components(segmentation, read_nifti(source.image)),
        sha256_of(source.model),
    )
    folder = Path(snakemake.output.seg).parent
    reference = read_reference(source.reference) if source.get("reference") else None
    write_objects(folder, choose_stack(source.scan, params["series_uid"], params["kernels"], reference), findings)
    log.info("%d components", len(findings.components))
