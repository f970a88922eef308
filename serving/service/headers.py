"""A limit for the headers of a request, which are read before the token is known."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BYTES = 16 * 1024
MAX_HEADERS = 100


class BoundedHeaders:
    """Answers 431 to requests with larger or more headers, or a longer address, than clients send.

    The server itself ends connections that send more than `MAX_BYTES` without completing their headers; what comes
    whole in one piece is told here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is within the limits."""
        app = self._app
        if scope["type"] == "http":
            size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
            size += sum(len(name) + len(value) for name, value in scope["headers"])
            if size > MAX_BYTES or len(scope["headers"]) > MAX_HEADERS:
                app = JSONResponse({"detail": f"send less than {MAX_BYTES} bytes and {MAX_HEADERS} headers"}, 431)
        await app(scope, receive, send)
