"""Routes for the model description, the health check and the metrics."""

from fastapi import APIRouter, Depends, Response

from serving.service.dependencies import Shared, authorised
from serving.service.schemas import Health, Model, problems

open_routes = APIRouter()
routes = APIRouter(dependencies=[Depends(authorised)], responses=problems(401, 403))


@routes.get("/v1/model", responses=problems(503))
def model(service: Shared) -> Model:
    """Description of the model."""
    return Model(**service.runner.about)


@open_routes.get("/healthz", responses={503: {"model": Health}})
def health(service: Shared, response: Response) -> Health:
    """Whether scans are segmented: a worker has loaded the model, and gets its jobs; needs no token."""
    response.status_code = 200 if service.runner.ready else 503
    return Health(status="ok" if service.runner.ready else "no worker is ready; if this lasts, see the log")


@routes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(service: Shared) -> Response:
    """Counters for Prometheus."""
    return Response(service.metrics.text(service.runner), media_type="text/plain; version=0.0.4")
