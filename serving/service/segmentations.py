"""Routes of segmentations. The body of an upload is the file itself; see `schemas` for the responses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from starlette.requests import ClientDisconnect

from serving.dicomweb import UID, UID_LENGTH
from serving.refused import Refused, disk_faults_told
from serving.service.dependencies import Done, Found, Service, Shared, authorised
from serving.service.job import FINAL, Job, Order, State
from serving.service.jobs import Full
from serving.service.schemas import RESCALE, UPLOAD, Result, Segmentation, problems
from serving.uploads import network_of, receive, too_large, unpack

LOOK_SECONDS = 0.01
RETRY_SECONDS = 5
MAX_SERIES = 10_000
PREFIX = "/v1/segmentations"
routes = APIRouter(dependencies=[Depends(authorised)], responses=problems(401, 403, 422))


@routes.post(PREFIX, status_code=202, openapi_extra=UPLOAD, responses=problems(400, 408, 413, 415, 429, 507))
async def segment(
    request: Request,
    response: Response,
    service: Shared,
    dicom: Annotated[bool, Query(description="make DICOM SEG, RTSTRUCT and report as well")] = False,
    rescale: Annotated[
        str | None,
        Query(
            pattern=RESCALE, description="slope and intercept that give HU where the scan does not say them: 1,-1024"
        ),
    ] = None,
    series: Annotated[
        int | None, Query(ge=1, le=MAX_SERIES, description="which series of a zip, by its number in a result")
    ] = None,
    series_uid: Annotated[
        str | None,
        Header(alias="Series-UID", pattern=UID, max_length=UID_LENGTH, description="which series of a zip, by its UID"),
    ] = None,
) -> Segmentation:
    """Send a scan to be segmented.

    Errors in the file format, the size or the header are reported at once. Errors that are found only by reading the
    voxels or the DICOM elements end the job as failed, with the reason in `error`.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > service.settings.max_upload_bytes:
        raise too_large(service.settings.max_upload_bytes)
    if series and series_uid:
        raise HTTPException(422, "give the series by `series` or by `Series-UID`, not by both")
    order = Order(dicom, slope_and_intercept(rescale) if rescale else None, series, series_uid)
    async with queued(request, service, order, response) as job:
        await _take(request, job, service)
    return shown(job)


@asynccontextmanager
async def queued(request: Request, service: Service, order: Order, response: Response) -> AsyncIterator[Job]:
    """New job, queued after the block has stored its scan, or deleted if the block fails.

    Raises 429 if no job is accepted, and Refused 507 if the disk fails, in the block, too.
    """
    try:
        with disk_faults_told():
            job = service.jobs.begin(client_of(request), order)
    except Full as full:
        raise HTTPException(429, f"{full}; try again later", {"Retry-After": str(RETRY_SECONDS)}) from None
    try:
        with disk_faults_told():
            yield job
            service.jobs.enqueue(job)
    except BaseException:
        service.jobs.abandon(job)
        raise
    response.headers["Location"] = f"{PREFIX}/{job.id}"


def slope_and_intercept(text: str) -> tuple[float, float]:
    """Slope and intercept from a text that matches `RESCALE`."""
    slope, intercept = map(float, text.split(","))
    return slope, intercept


def client_of(request: Request) -> str:
    """Key of the client for the upload limit, from the address of the request; see `network_of`."""
    return network_of(request.client.host) if request.client else ""


async def _take(request: Request, job: Job, service: Service) -> None:
    """Receive and unpack the upload of a job. Raises Refused."""
    upload = job.folder / "upload"
    try:
        job.sha256 = await receive(request.stream(), upload, service.settings)
    except ClientDisconnect:
        raise Refused(400, "the upload broke off") from None
    async with service.unpacking:
        job.scan = await asyncio.to_thread(unpack, upload, service.settings)
    if job.order.needs_dicom and not job.scan.is_dir():
        raise Refused(422, job.order.needs_dicom)


@routes.get(PREFIX + "/{job_id}", responses=problems(404))
async def status(
    request: Request,
    job: Found,
    wait_seconds: Annotated[float, Query(ge=0, le=30, description="wait so long for the end")] = 0,
) -> Segmentation:
    """State and progress of a segmentation; with `wait_seconds` the answer waits up to that time for the end."""
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_seconds):
            while job.state not in FINAL and wait_seconds and not request.app.state.stopping:
                await asyncio.sleep(LOOK_SECONDS)
    return shown(job)


@routes.get(
    PREFIX + "/{job_id}/result.nii.gz",
    response_class=Response,
    responses=problems(404, 409) | {200: {"content": {"application/gzip": {}}}},
)
def mask(job: Done) -> Response:
    """The label map as NIfTI on the scan's grid: 0 is background; 1, 2, … are the labels of the model in order."""
    return _file(job.result, "application/gzip")


@routes.get(PREFIX + "/{job_id}/result.json", response_model=Result, responses=problems(404, 409))
def components(job: Done) -> Response:
    """Model, scan, volumes, components and quality flags of a segmentation."""
    return _file(job.components, "application/json")


@routes.get(
    PREFIX + "/{job_id}/{name}.dcm",
    response_class=Response,
    responses=problems(404, 409) | {200: {"content": {"application/dicom": {}}}},
)
def dicom_object(job: Done, name: Literal["seg", "rtstruct", "report"]) -> Response:
    """DICOM object with the patient and study of the scan; exists if `dicom` was asked for and is possible."""
    return _file(job.objects / f"{name}.dcm", "application/dicom")


@routes.delete(PREFIX + "/{job_id}", status_code=204, responses=problems(404))
def cancel(job: Found, service: Shared) -> None:
    """Cancel a waiting or running segmentation; delete a finished one with its result."""
    service.jobs.delete(job)


def shown(job: Job) -> Segmentation:
    """Description of a job for clients, with links to its results."""
    here = f"{PREFIX}/{job.id}"
    links = {"self": here}
    if job.state is State.DONE:
        links |= {"nifti": f"{here}/{job.result.name}", "json": f"{here}/{job.components.name}"}
        links |= {path.stem: f"{here}/{path.name}" for path in sorted(job.objects.glob("*.dcm"))}
    return Segmentation(**job.facts(), links=links)


def _file(path: Path, media_type: str) -> Response:
    """Response with the bytes of a result file. Raises 404 if the file does not exist."""
    try:
        return Response(path.read_bytes(), media_type=media_type)
    except FileNotFoundError:
        raise HTTPException(
            404, "the result was not asked for, cannot be made (see `flags`), or was deleted since"
        ) from None
