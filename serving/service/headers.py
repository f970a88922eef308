"""Limit for request headers, which the server reads before it can check the token; own names, where there is none."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BYTES = 16 * 1024
MAX_HEADERS = 100
OF_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


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


class OwnNames:
    """ASGI middleware that answers 403 to requests to a foreign host name, and to those of web pages from elsewhere.

    It guards a service without a token. A page in a browser on this machine could reach the service by its own name,
    if that is made to point at this machine (Host), and any page can send a form or a file to it (Origin).
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        """Accept the names of this machine and `host`, the address that the service listens at.

        A service that others can reach, under any of the machine's names, accepts each name.
        """
        self._app, self._names = app, {*OF_THIS_MACHINE, host.lower()} if is_loopback(host) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on requests to own names without an Origin or with their own, answer 403 to others."""
        app = self._app
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = headers.get("host", "").lower()
            origins = {origin.lower().partition("://")[2] for origin in headers.getlist("origin")}
            if self._names is not None and _name(host) not in self._names:
                app = _forbidden(f"a service without a token answers to {', '.join(sorted(self._names))} alone")
            elif origins - {host}:
                app = _forbidden("a service without a token answers to no page of another web server")
        await app(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is reachable only from this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    """Name or address in a Host header, without port and brackets; empty if there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _forbidden(why: str) -> JSONResponse:
    return JSONResponse({"detail": f"{why}: start it with a token (CTSEG_TOKEN), or with its name as --host"}, 403)
