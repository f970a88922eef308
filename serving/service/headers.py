"""Limit for request headers, which the server reads before it can check the token."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BYTES = 16 * 1024
MAX_HEADERS = 100


class BoundedHeaders:
    """ASGI middleware that answers 431 if headers and URL exceed `MAX_BYTES` or there are over `MAX_HEADERS` headers.

    The server itself closes connections that send more than `MAX_BYTES` without completing their headers; this class
    rejects too large headers that arrive complete in one piece.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on requests within the limits, answer 431 to others."""
        app = self._app
        if scope["type"] == "http":
            size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
            size += sum(len(name) + len(value) for name, value in scope["headers"])
            if size > MAX_BYTES or len(scope["headers"]) > MAX_HEADERS:
                app = JSONResponse({"detail": f"send less than {MAX_BYTES} bytes and {MAX_HEADERS} headers"}, 431)
        await app(scope, receive, send)
