"""`python -m serving --model model.onnx`: start the service."""

import logging
import os
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI

from ctseg.errors import InputError
from serving.service.app import create_app
from serving.service.headers import MAX_BYTES, is_loopback
from serving.settings import Settings, read_settings


def main() -> None:
    """Run the service until it is stopped; an InputError ends the program with a message of one line."""
    settings = read_settings(sys.argv[1:], os.environ)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs request URLs, which contain UIDs
    if not settings.token and not is_loopback(settings.host):
        logging.getLogger("ctseg.serving").warning("everybody who reaches %s may use it: no token", settings.host)
    try:
        serve(settings)
    except InputError as error:
        sys.exit(f"ctseg: {error}")


def serve(settings: Settings) -> None:
    """Run the server without logging request paths.

    Raises InputError if the model file is missing or unusable, or if the folder or the archive of the settings is.
    """
    if not settings.model.is_file():
        raise InputError(f"the model {settings.model} does not exist; name it with --model")
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
        http="h11",  # httptools reads twice as fast (157 MB in 0.16 s), but collects headers of any size
        h11_max_incomplete_event_size=MAX_BYTES,
    )
    # uvicorn logs the traceback of each error at the start; the user needs the message alone.
    logging.getLogger("uvicorn.error").addFilter(lambda record: app.state.problem is None)
    try:
        Server(config, app).run()
    except SystemExit:  # uvicorn's way to end after a failed start
        if app.state.problem:
            raise app.state.problem from None
        raise


class Server(uvicorn.Server):
    """uvicorn server that also ends requests that wait for the end of a job (`wait_seconds`) when it is stopped."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Set `app.state.stopping` and begin to stop; called at a signal."""
        self._app.state.stopping = True
        super().handle_exit(sig, frame)


if __name__ == "__main__":
    main()
