"""The routes to a DICOMweb server: a series of it is segmented, results are stored there."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from serving.dicomweb import DicomWeb
from serving.service.dependencies import Done, Shared, authorised
from serving.service.jobs import Order
from serving.service.schemas import ArchivedSeries, Segmentation, Stored, problems
from serving.service.segmentations import PREFIX, queued, shown, slope_and_intercept

routes = APIRouter(dependencies=[Depends(authorised)], responses=problems(401, 422, 501, 502, 504))


def archive_of(service: Shared) -> DicomWeb:
    """The DICOMweb server, if the settings name one."""
    if service.archive is None:
        raise HTTPException(501, "this service has no DICOMweb server: start it with --dicomweb-url")
    return service.archive


Archive = Annotated[DicomWeb, Depends(archive_of)]


@routes.post("/v1/archive/segmentations", status_code=202, responses=problems(404, 413, 429))
async def segment_archived(
    wanted: ArchivedSeries, request: Request, response: Response, service: Shared, archive: Archive
) -> Segmentation:
    """Segment a series of the DICOMweb server. The answer comes when it is fetched; DICOM objects are made of it.

    UIDs stand in the body and not in the address, since logs of proxies keep addresses.
    """
    rescale = slope_and_intercept(wanted.rescale) if wanted.rescale else None
    async with queued(request, service, Order(True, rescale), response) as job:
        study_uid = wanted.study_uid or await archive.study_of(wanted.series_uid)
        job.scan = job.folder / "dicom"
        await archive.fetch(study_uid, wanted.series_uid, job.scan)
    return shown(job)


@routes.post(PREFIX + "/{job_id}/store", responses=problems(404, 409))
async def store(job: Done, archive: Archive) -> Stored:
    """Store the DICOM objects of a result on the DICOMweb server: SEG, RTSTRUCT and report."""
    paths = sorted(job.objects.glob("*.dcm"))
    if not paths:
        raise HTTPException(409, "there are no DICOM objects: ask for them with `dicom`")
    await archive.store(paths)
    return Stored(stored=[path.stem for path in paths])
