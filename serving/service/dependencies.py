"""Shared dependencies of the routes: the service, the token check, and the job in a path."""

import asyncio
import secrets
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from serving.dicomweb import DicomWeb
from serving.service.job import Job, State
from serving.service.jobs import Jobs
from serving.service.metrics import Metrics
from serving.service.runner import Runner
from serving.settings import Settings

bearer = HTTPBearer(auto_error=False)


class Service:
    """Jobs, metrics, worker and DICOMweb client, shared by all routes of a running server."""

    def __init__(self, jobs: Jobs, settings: Settings) -> None:
        self.jobs, self.settings = jobs, settings
        self.metrics = Metrics(jobs)
        self.runner = Runner(jobs, settings, self.metrics.ended)
        self.archive = DicomWeb(settings) if settings.dicomweb_url else None
        self.unpacking = asyncio.Semaphore(2)  # at once, to limit the memory


def service_of(request: Request) -> Service:
    """The service that handles a request."""
    return request.app.state.service


def authorised(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)] = None) -> None:
    """Raise 401 for a wrong token, in constant time."""
    token = request.app.state.settings.token
    if token and not secrets.compare_digest((given.credentials if given else "").encode(), token.encode()):
        raise HTTPException(401, "send the header `Authorization: Bearer <token>`", {"WWW-Authenticate": "Bearer"})


def found(job_id: str, service: Annotated[Service, Depends(service_of)]) -> Job:
    """Job with the id in the path. Raises 404 if it does not exist."""
    job = service.jobs.get(job_id)
    if job is None:
        raise HTTPException(404, "there is no such segmentation, or it was deleted since")
    return job


def done(job: Annotated[Job, Depends(found)]) -> Job:
    """Finished job with the id in the path. Raises 404 if it does not exist, 409 if it has no result."""
    if job.state is not State.DONE:
        raise HTTPException(409, f"there is no result: the segmentation is {job.state}")
    return job


Shared = Annotated[Service, Depends(service_of)]
Found = Annotated[Job, Depends(found)]
Done = Annotated[Job, Depends(done)]
