"""Routes that segment a series of the DICOMweb server and store results on it."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from serving.dicomweb import DicomWeb
from serving.service.dependencies import Done, Shared, authorised
from serving.service.job import Order
from serving.service.schemas import ArchivedSeries, Segmentation, Stored, problems
from serving.service.segmentations import PREFIX, queued, shown, slope_and_intercept
from serving.uploads import Refused

MAX_BODY = 64 * 1024
BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": ArchivedSeries.model_json_schema()}}}
}
routes = APIRouter(dependencies=[Depends(authorised)], responses=problems(401, 403, 422, 502, 504))


def archive_of(service: Shared) -> DicomWeb:
    """The DICOMweb client; the app includes these routes only if the settings name a server."""
    assert service.archive
    return service.archive


Archive = Annotated[DicomWeb, Depends(archive_of)]


async def series_in(request: Request) -> ArchivedSeries:
    """Parsed request body. Raises Refused. Read here because FastAPI would read any size before it checks the token."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refused(413, f"the body is larger than {MAX_BODY} bytes; it should name one series")
    try:
        return ArchivedSeries.model_validate_json(body)
    except ValidationError as error:
        said = [f"{(fault['loc'] or ('body',))[-1]}: {fault['msg']}" for fault in error.errors(include_input=False)]
        raise Refused(422, "; ".join(said)) from None


@routes.post(
    "/v1/archive/segmentations", status_code=202, openapi_extra=BODY, responses=problems(400, 404, 413, 429, 507)
)
async def segment_archived(request: Request, response: Response, service: Shared, archive: Archive) -> Segmentation:
    """Segment a series of the DICOMweb server. The response is sent after the download.

    UIDs are in the body and not in the URL, because proxies log URLs.
    """
    try:
        wanted = await series_in(request)
    except ClientDisconnect:
        raise Refused(400, "the body broke off") from None
    rescale = slope_and_intercept(wanted.rescale) if wanted.rescale else None
    async with queued(request, service, Order(wanted.dicom, rescale), response) as job:
        study_uid = wanted.study_uid or await archive.study_of(wanted.series_uid)
        job.scan = job.folder / "dicom"
        await archive.fetch(study_uid, wanted.series_uid, job.scan)
    return shown(job)


@routes.post(PREFIX + "/{job_id}/store", responses=problems(404, 409))
async def store(job: Done, archive: Archive) -> Stored:
    """Store the DICOM objects of a result on the DICOMweb server: SEG, RTSTRUCT and report."""
    paths = sorted(job.objects.glob("*.dcm"))
    if not paths:
        raise HTTPException(409, "there are no DICOM objects: ask for them with `dicom`, or see `flags` of the result")
    await archive.store(paths)
    return Stored(stored=[path.stem for path in paths])
