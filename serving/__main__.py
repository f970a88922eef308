"""`python -m serving --model model.onnx`: start the service."""

import logging
import os
import sys
from ipaddress import ip_address

import uvicorn

from ctseg.errors import InputError
from serving.service.app import create_app
from serving.settings import Settings, read_settings


def main() -> None:
    """Serve until stopped; problems of the settings or the model are reported in one line."""
    settings = read_settings(sys.argv[1:], os.environ)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if not settings.token and not is_loopback(settings.host):
        logging.getLogger("ctseg.serving").warning("everybody who reaches %s may use it: no token", settings.host)
    try:
        serve(settings)
    except InputError as error:
        sys.exit(f"ctseg: {error}")


def serve(settings: Settings) -> None:
    """Run the server without logging request paths. Raises InputError if the model cannot be loaded."""
    if not settings.model.is_file():
        raise InputError(f"the model {settings.model} does not exist; name it with --model")
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run()


def is_loopback(host: str) -> bool:
    """Whether the address is reachable from this machine alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    main()
