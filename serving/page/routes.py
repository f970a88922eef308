"""What the page's viewer fetches: NiiVue's code, and the volumes of a result by its token."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ctseg.report.niivue import niivue_script
from serving.page.runs import RUNS

SECRET = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def script(request: Request) -> Response:
    """NiiVue's code; 404 where its package is not installed, so that the viewer falls back to coarse slices."""
    code = niivue_script()
    if code is None:
        return Response(status_code=404)
    return Response(code, media_type="text/javascript", headers={"Cache-Control": "max-age=3600"})


def volume(request: Request) -> Response:
    """A volume of a result as NIfTI, compressed on its way."""
    run = RUNS.get(request.path_params["token"])
    data = run.shown.volumes.get(request.path_params["name"]) if run and run.shown else None
    if data is None:
        return Response(status_code=404, headers=SECRET)
    return Response(data, media_type="application/octet-stream", headers={"Content-Encoding": "gzip", **SECRET})


ROUTES = [Route("/ctseg/niivue.js", script), Route("/ctseg/{token}/{name}.nii", volume)]
