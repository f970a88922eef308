"""Routes for the viewer of the page: code of NiiVue, and volumes of a result by its token."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ctseg.report.niivue import niivue_script
from serving.page.runs import RUNS

SECRET = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def script(request: Request) -> Response:
    """Code of NiiVue; 404 if its package is not installed, so that the viewer falls back to coarse slices."""
    code = niivue_script()
    if code is None:
        return Response(status_code=404)
    return Response(code, media_type="text/javascript", headers={"Cache-Control": "max-age=3600"})


def volume(request: Request) -> Response:
    """Volume of a result as NIfTI with gzip content encoding; 404 for an unknown token or name."""
    run = RUNS.get(request.path_params["token"])
    data = run.shown.volumes.get(request.path_params["name"]) if run and run.shown else None
    if data is None:
        return Response(status_code=404, headers=SECRET)
    return Response(data, media_type="application/octet-stream", headers={"Content-Encoding": "gzip", **SECRET})


ROUTES = [Route("/ctseg/niivue.js", script), Route("/ctseg/{token}/{name}.nii", volume)]
