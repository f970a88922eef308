"""ASGI application of the page: Streamlit runs `main.py`; further routes serve the files of the viewer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from streamlit.starlette import App

from serving.page.routes import ROUTES
from serving.page.runs import RUNS
from serving.page.temporary import remove_leftovers

SWEEP_SECONDS = 30.0


@asynccontextmanager
async def running(app: App) -> AsyncIterator[dict[str, Any]]:
    """Delete leftovers at the start, old results at regular intervals, and all results at the end."""

    async def sweep() -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            RUNS.sweep()

    remove_leftovers()
    sweeper = asyncio.create_task(sweep())
    try:
        yield {}
    finally:
        sweeper.cancel()
        RUNS.close()


app = App(Path(__file__).with_name("main.py"), routes=ROUTES, lifespan=running)
