"""The routes of the service. Bodies of uploads are the files themselves; see `schemas` for what is answered."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import ClientDisconnect

from serving.service.jobs import FINAL, Full, Job, Jobs, State
from serving.service.metrics import Counting, Metrics
from serving.service.runner import Runner
from serving.service.schemas import UPLOAD, Health, Model, Result, Segmentation, problems
from serving.service.spool import spool
from serving.settings import Settings
from serving.uploads import Refused, receive, too_large, unpack

SWEEP_SECONDS = 1.0
LOOK_SECONDS = 0.01
RETRY_SECONDS = 5
PREFIX = "/v1/segmentations"
RESCALE = r"^-?\d{1,9}(\.\d{1,9})?,-?\d{1,9}(\.\d{1,9})?$"
bearer = HTTPBearer(auto_error=False)


class Service:
    """Objects that the routes share while the server runs."""

    def __init__(self, jobs: Jobs, settings: Settings) -> None:
        self.jobs, self.settings = jobs, settings
        self.metrics = Metrics(jobs)
        self.runner = Runner(jobs, settings, self.metrics.ended)
        self.unpacking = asyncio.Semaphore(2)  # decompressing many uploads at once would fill the memory


def service_of(request: Request) -> Service:
    """The service behind a request."""
    return request.app.state.service


def authorised(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)] = None) -> None:
    """Reject a wrong token, in a time that does not depend on it."""
    token = request.app.state.settings.token
    if token and not secrets.compare_digest((given.credentials if given else "").encode(), token.encode()):
        raise HTTPException(401, "send the header `Authorization: Bearer <token>`", {"WWW-Authenticate": "Bearer"})


def found(job_id: str, service: Annotated[Service, Depends(service_of)]) -> Job:
    """The job of a route."""
    job = service.jobs.get(job_id)
    if job is None:
        raise HTTPException(404, "there is no such segmentation, or it was deleted since")
    return job


def done(job: Annotated[Job, Depends(found)]) -> Job:
    """The job of a route that needs its result."""
    if job.state is not State.DONE:
        raise HTTPException(409, f"there is no result: the segmentation is {job.state}")
    return job


Shared = Annotated[Service, Depends(service_of)]
open_routes = APIRouter()
routes = APIRouter(dependencies=[Depends(authorised)], responses=problems(401, 422))


@routes.post(PREFIX, status_code=202, openapi_extra=UPLOAD, responses=problems(400, 408, 413, 415, 429))
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
) -> Segmentation:
    """Send a scan to be segmented.

    What is wrong with the file itself, its size, or its header is answered at once; what only reading the voxels or the
    DICOM elements can tell ends the job as failed, with the reason in `error`.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > service.settings.max_upload_bytes:
        raise too_large(service.settings.max_upload_bytes)
    try:
        job = service.jobs.begin(dicom, slope_and_intercept(rescale) if rescale else None)
    except Full:
        raise HTTPException(429, "all places are taken; try again later", {"Retry-After": str(RETRY_SECONDS)}) from None
    try:
        await _take(request, job, service)
    except BaseException:
        service.jobs.abandon(job)
        raise
    service.jobs.enqueue(job)
    response.headers["Location"] = f"{PREFIX}/{job.id}"
    return _shown(job)


def slope_and_intercept(text: str) -> tuple[float, float]:
    """The two numbers of a text that fits `RESCALE`."""
    slope, intercept = map(float, text.split(","))
    return slope, intercept


async def _take(request: Request, job: Job, service: Service) -> None:
    """Receive and unpack the upload of a job. Raises Refused."""
    upload = job.folder / "upload"
    try:
        async with asyncio.timeout(service.settings.upload_seconds):
            await receive(request.stream(), upload, service.settings.max_upload_bytes)
    except TimeoutError:
        raise Refused(408, f"the upload took longer than {service.settings.upload_seconds:g} s") from None
    except ClientDisconnect:
        raise Refused(400, "the upload broke off") from None
    async with service.unpacking:
        job.scan = await asyncio.to_thread(unpack, upload, service.settings)
    if job.dicom and not job.scan.is_dir():
        raise Refused(422, "DICOM objects refer to DICOM slices: send a zip of DICOM, or leave out `dicom`")


@routes.get(PREFIX + "/{job_id}", responses=problems(404))
async def status(
    job: Annotated[Job, Depends(found)],
    wait_seconds: Annotated[float, Query(ge=0, le=30, description="wait so long for the end")] = 0,
) -> Segmentation:
    """State and progress of a segmentation; with `wait_seconds` the answer waits up to that time for the end."""
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_seconds):
            while job.state not in FINAL and wait_seconds:
                await asyncio.sleep(LOOK_SECONDS)
    return _shown(job)


@routes.get(
    PREFIX + "/{job_id}/result.nii.gz",
    response_class=Response,
    responses=problems(404, 409) | {200: {"content": {"application/gzip": {}}}},
)
def mask(job: Annotated[Job, Depends(done)]) -> Response:
    """The segmentation as NIfTI on the scan's grid: 0 is background, 1, 2, … the model's labels in order."""
    return _file(job.result, "application/gzip")


@routes.get(PREFIX + "/{job_id}/result.json", response_model=Result, responses=problems(404, 409))
def components(job: Annotated[Job, Depends(done)]) -> Response:
    """The components of the segmentation: volume, position, bounding box and mean HU of each."""
    return _file(job.components, "application/json")


@routes.get(
    PREFIX + "/{job_id}/{name}.dcm",
    response_class=Response,
    responses=problems(404, 409) | {200: {"content": {"application/dicom": {}}}},
)
def dicom_object(job: Annotated[Job, Depends(done)], name: Literal["seg", "rtstruct", "report"]) -> Response:
    """A DICOM object for the scan's patient and study; exists if the request had `dicom`."""
    return _file(job.objects / f"{name}.dcm", "application/dicom")


@routes.delete(PREFIX + "/{job_id}", status_code=204, responses=problems(404))
def cancel(job: Annotated[Job, Depends(found)], service: Shared) -> None:
    """Cancel a waiting or running segmentation; delete a finished one with its result."""
    service.jobs.delete(job)


@routes.get("/v1/model", responses=problems(503))
def model(service: Shared) -> Model:
    """Description of the model."""
    return Model(**service.runner.about)


@open_routes.get("/healthz", responses={503: {"model": Health}})
def health(service: Shared, response: Response) -> Health:
    """Whether a worker has loaded the model; needs no token."""
    response.status_code = 200 if service.runner.ready else 503
    return Health(status="ok" if service.runner.ready else "the worker is starting")


@routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(service: Shared) -> Response:
    """Counters for Prometheus."""
    return Response(service.metrics.text(service.runner), media_type="text/plain; version=0.0.4")


def _shown(job: Job) -> Segmentation:
    """A job as clients see it, with links to its results."""
    here = f"{PREFIX}/{job.id}"
    links = {"self": here}
    if job.state is State.DONE:
        links |= {"nifti": f"{here}/{job.result.name}", "json": f"{here}/{job.components.name}"}
        links |= {path.stem: f"{here}/{path.name}" for path in sorted(job.objects.glob("*.dcm"))}
    return Segmentation(**job.facts(), links=links)


def _file(path: Path, media_type: str) -> Response:
    """The bytes of a result file. Answers 404 if it has been deleted."""
    try:
        return Response(path.read_bytes(), media_type=media_type)
    except FileNotFoundError:
        raise HTTPException(404, "the result was not asked for, or was deleted since") from None


async def refused(request: Request, error: Exception) -> JSONResponse:
    """The answer to an upload that was refused."""
    assert isinstance(error, Refused)
    return JSONResponse({"detail": str(error)}, error.status)


async def misused(request: Request, error: Exception) -> JSONResponse:
    """The answer to a parameter that cannot be read, without what was sent."""
    assert isinstance(error, RequestValidationError)
    said = [f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors()]
    return JSONResponse({"detail": "; ".join(said)}, 422)


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    """Start the worker before the first request and stop it after the last."""
    settings: Settings = app.state.settings
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(spool(settings.folder))
        service = app.state.service = Service(Jobs(folder, settings), settings)
        await asyncio.to_thread(service.runner.start)
        sweeper = asyncio.create_task(_sweep(service.jobs))
        try:
            yield
        finally:
            sweeper.cancel()
            service.jobs.close()
            await asyncio.to_thread(service.runner.stop)


async def _sweep(jobs: Jobs) -> None:
    """Delete old results at regular intervals."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        await asyncio.to_thread(jobs.sweep)


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI application."""
    app = FastAPI(title="ctseg", version="1", description="Segments CT scans.", lifespan=_running)
    app.state.settings = settings
    app.include_router(routes)
    app.include_router(open_routes)
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(RequestValidationError, misused)
    app.add_middleware(Counting)
    return app
