"""Make one patient of the built-in phantom: a DICOM series and its label, as RTSTRUCT and as NIfTI."""

from ctseg.phantom.cases import phantom_has_localizer, phantom_is_feet_first
from ctseg.phantom.dicom import reading_order, write_rtstruct, write_series
from ctseg.phantom.patient import PhantomSettings, make_phantom
from ctseg.scans.nifti import write_nifti
from job import job

with job(snakemake) as log:
    params = snakemake.params.settings
    index = params["index"]
    ranges = (tuple(params[name]) for name in ("spacing_mm", "slice_distance_mm", "nodules"))
    phantom = make_phantom(PhantomSettings(params["seed"], *ranges), index)
    feet_first = phantom_is_feet_first(index)
    write_series(phantom, index, snakemake.output.series, phantom_has_localizer(index), feet_first)
    write_rtstruct(phantom, snakemake.output.series, snakemake.output.rtstruct)
    write_nifti(reading_order(phantom.label, feet_first), snakemake.output.label)
    log.info("%d nodules, %d slices", len(phantom.nodules), phantom.image.grid.shape_zyx[0])
