"""Routes for the model description, the health check and the metrics."""

from fastapi import APIRouter, Depends, Response

from serving.service.dependencies import Shared, authorised
from serving.service.schemas import Health, Model, problems

open_routes = APIRouter()
routes = APIRouter(dependencies=[Depends(authorised)], responses=problems(401))


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
