"""A service without a token answers to its own names alone, and to no page from elsewhere."""

import asyncio

import httpx
import pytest
from starlette.responses import PlainTextResponse

from serving.service.app import create_app
from serving.service.headers import OwnNames
from serving.settings import Settings


def answer(host, origin=None, listens_at="127.0.0.1"):
    """Response to a POST with these headers."""
    headers = {"Host": host} | ({"Origin": origin} if origin is not None else {})

    async def ask():
        transport = httpx.ASGITransport(OwnNames(PlainTextResponse("done"), listens_at))
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.post("http://127.0.0.1/v1/segmentations", headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000", "127.0.0.2:80"]
)
def test_own_names_are_answered_with_any_port(host):
    assert answer(host, listens_at="127.0.0.2").status_code == 200
    assert answer(host, f"http://{host}", "127.0.0.2").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.test", "evil.test:8000", "127.0.0.1.evil.test", "localhost@evil.test", "[::2]", "[", "", "10.0.0.1"]
)
def test_a_name_that_somebody_pointed_here_is_not(host):
    refused = answer(host)
    assert (refused.status_code, "CTSEG_TOKEN" in refused.json()["detail"]) == (403, True)


@pytest.mark.parametrize("listens_at", ["0.0.0.0", "::", "scans.test", "10.0.0.1"])
def test_a_service_that_others_reach_answers_to_each_of_its_names_but_to_no_page_from_elsewhere(listens_at):
    assert answer("scans.test:8000", listens_at=listens_at).status_code == 200
    assert answer("scans.test:8000", "https://evil.test", listens_at).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "http://127.0.0.1:3000", "http://localhost:8000", ""])
def test_a_page_from_elsewhere_is_refused_also_one_of_this_machine(origin):
    refused = answer("127.0.0.1:8000", origin)
    assert (refused.status_code, "no page" in refused.json()["detail"]) == (403, True)


@pytest.mark.parametrize(("token", "guarded"), [("", True), ("password", False)])
def test_a_token_takes_the_place_of_the_names(token, guarded):
    classes = [one.cls for one in create_app(Settings(token=token)).user_middleware]
    assert (OwnNames in classes) == guarded
