"""ASGI application of the service: routes, start and stop, and error responses."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from ctseg.errors import InputError
from serving.refused import Refused
from serving.service import about, archive, segmentations
from serving.service.dependencies import Service
from serving.service.headers import BoundedHeaders, OwnNames
from serving.service.jobs import Jobs
from serving.service.metrics import Counting
from serving.service.schemas import USE
from serving.service.spool import spool
from serving.settings import Settings

LOG = logging.getLogger("ctseg.serving")
SWEEP_SECONDS = 1.0


async def refused(request: Request, error: Exception) -> JSONResponse:
    """Response to a rejected upload or a failed DICOMweb request."""
    assert isinstance(error, Refused)
    if error.status == 507:
        LOG.error("%s", error)
    headers = {"Connection": "close"} if error.status == 408 else None  # the rest of the body would hold the connection
    return JSONResponse({"detail": str(error)}, error.status, headers)


async def misused(request: Request, error: Exception) -> JSONResponse:
    """Response 422 to an invalid parameter, without the value that was sent."""
    assert isinstance(error, RequestValidationError)
    said = [f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors()]
    return JSONResponse({"detail": "; ".join(said)}, 422)


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    """Start the worker before the first request and stop it after the last request.

    An InputError that prevents the start, such as a damaged model, is also stored as `app.state.problem`.
    """
    settings: Settings = app.state.settings
    async with AsyncExitStack() as stack:
        try:
            held = stack.enter_context(spool(settings.folder))
            service = app.state.service = Service(Jobs(held.path, settings, held.renew), settings)
            await asyncio.to_thread(service.runner.start)
        except InputError as error:
            app.state.problem = error
            raise
        sweeper = asyncio.create_task(_sweep(service.jobs))
        try:
            yield
        finally:
            sweeper.cancel()
            service.jobs.close()
            await asyncio.to_thread(service.runner.stop)
            if service.archive:
                await service.archive.close()


async def _sweep(jobs: Jobs) -> None:
    """Delete old results at regular intervals."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        await asyncio.to_thread(jobs.sweep)


def create_app(settings: Settings) -> FastAPI:
    """ASGI application of the service. The scripts of `/docs` come from an installed package, not from the internet."""
    app = FastAPIOffline(
        redoc_url=None, title="ctseg", version="1", description=f"Segments CT scans. {USE}", lifespan=_running
    )
    app.state.settings, app.state.stopping, app.state.problem = settings, False, None
    for router in (segmentations.routes, about.routes, about.open_routes):
        app.include_router(router)
    if settings.dicomweb_url:
        app.include_router(archive.routes)
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(RequestValidationError, misused)
    if not settings.token:
        app.add_middleware(OwnNames, host=settings.host)
    app.add_middleware(BoundedHeaders)
    app.add_middleware(Counting)
    return app
