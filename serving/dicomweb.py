"""Client of a DICOMweb server (PS3.18): find a series (QIDO-RS), fetch its files (WADO-RS), store objects (STOW-RS).

Address and token come only from the settings, so no client of the service can direct requests to another server. No
redirect is followed. All answers are limited in size and time.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from ctseg.errors import InputError
from serving.multipart import Parts, boundary_of
from serving.refused import Refused
from serving.settings import MIB, Settings
from serving.uploads import too_large

UID = r"^(0|[1-9]\d*)(\.(0|[1-9]\d*))*$"
UID_LENGTH = 64
STUDY, SERIES, FAILED = "0020000D", "0020000E", "00081198"
MAX_ANSWER = 4 * MIB
CHUNK = 256 * 1024
CONNECT_SECONDS = 10.0


class DicomWeb:
    """Client of the DICOMweb server in the settings."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Store address, token and limits; sends no request. Raises InputError unless the address is http(s)."""
        if not settings.dicomweb_url.startswith(("http://", "https://")):
            raise InputError(f"--dicomweb-url {settings.dicomweb_url} should begin with https:// or http://")
        self._settings = settings
        self._url = settings.dicomweb_url.rstrip("/")
        headers = {"Accept-Encoding": "identity"}  # a compressed answer could unpack to any size
        if settings.dicomweb_token:
            headers["Authorization"] = f"Bearer {settings.dicomweb_token}"
        wait = httpx.Timeout(settings.dicomweb_seconds, connect=min(CONNECT_SECONDS, settings.dicomweb_seconds))
        self._client = httpx.AsyncClient(headers=headers, timeout=wait, transport=transport, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def study_of(self, series_uid: str) -> str:
        """UID of the study of a series. Raises Refused; with 404 if the server does not know the series."""
        async with self._asked("GET", "/series", "application/dicom+json", params={SERIES: series_uid}) as answer:
            if answer.status_code in (204, 404):
                raise Refused(404, "the DICOMweb server does not know this series")
            found = _json(await _read(_good(answer)))
        # A server that does not support a query key may ignore it and return all series.
        studies = {_first(one, STUDY) for one in found or () if _first(one, SERIES) == series_uid} - {""}
        if not studies:
            raise Refused(404, "the DICOMweb server does not know this series")
        if len(studies) > 1:
            raise Refused(502, "the DICOMweb server has the series in several studies; correct it there")
        return studies.pop()

    async def fetch(self, study_uid: str, series_uid: str, folder: Path) -> None:
        """Write the files of a series into a new folder, with numbers as names. Raises Refused."""
        folder.mkdir()
        settings, size = self._settings, 0
        path = f"/studies/{study_uid}/series/{series_uid}"
        async with self._asked("GET", path, 'multipart/related; type="application/dicom"') as answer:
            if answer.status_code == 404:
                raise Refused(404, "the DICOMweb server does not know this series")
            boundary = boundary_of(_good(answer).headers.get("content-type", ""))
            if boundary is None:
                raise _unusable("its answer has no parts")
            parts = Parts(boundary, folder, settings.max_entries)
            async for chunk in answer.aiter_raw(CHUNK):
                size += len(chunk)
                if size > settings.max_unpacked_bytes:
                    raise too_large(settings.max_unpacked_bytes)
                parts.feed(chunk)
            if not parts.complete:
                raise _unusable("its answer broke off")

    async def store(self, paths: Sequence[Path]) -> None:
        """Send DICOM files to the server. Raises Refused if the server does not store all of them."""
        boundary = secrets.token_hex(16)
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        body, accept = _body(paths, boundary), "application/dicom+json"
        async with self._asked("POST", "/studies", accept, content=body, headers={"Content-Type": kind}) as answer:
            if answer.status_code in (202, 409):
                failed = _json(await _read(answer)) or {}
                count = len(failed.get(FAILED, {}).get("Value", ())) if isinstance(failed, dict) else 0
                raise _unusable(f"it did not take {count or 'some'} of {len(paths)} objects")
            await _read(_good(answer))

    @asynccontextmanager
    async def _asked(self, method: str, path: str, accept: str, **more: Any) -> AsyncIterator[httpx.Response]:
        """Response to a request, within the time limit. Raises Refused if no complete response arrives."""
        headers = {"Accept": accept} | more.pop("headers", {})
        request = self._client.build_request(method, self._url + path, headers=headers, **more)
        try:
            async with asyncio.timeout(self._settings.dicomweb_seconds):
                answer = await self._client.send(request, stream=True)
                try:
                    yield answer
                finally:
                    await answer.aclose()
        except (TimeoutError, httpx.TimeoutException):
            limit = self._settings.dicomweb_seconds
            raise Refused(504, f"the DICOMweb server took longer than {limit:g} s") from None
        except httpx.HTTPError as error:
            raise _unusable(f"it cannot be reached, or broke off ({type(error).__name__})") from None


def _good(answer: httpx.Response) -> httpx.Response:
    """The response itself if its status is 200 or 206. Raises Refused for any other status."""
    if answer.status_code in (401, 403):
        raise _unusable("it rejects the token in CTSEG_DICOMWEB_TOKEN")
    if answer.status_code not in (200, 206):
        raise _unusable(f"it answered {answer.status_code}")
    return answer


async def _read(answer: httpx.Response) -> bytes:
    """Body of a response. Raises Refused if it is larger than `MAX_ANSWER` bytes."""
    body = b""
    async for chunk in answer.aiter_raw(CHUNK):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise _unusable("its answer is too large")
    return body


def _json(body: bytes) -> Any:
    """Parsed JSON body; None if the body is empty. Raises Refused if it is not JSON."""
    try:
        return json.loads(body) if body.strip() else None
    except ValueError:
        raise _unusable("its answer is no JSON") from None


def _first(dataset: Any, tag: str) -> str:
    """First value of an element in DICOM JSON (PS3.18 annex F) as text; empty if the element is missing."""
    values = dataset.get(tag, {}).get("Value") if isinstance(dataset, dict) else None
    return str(values[0]) if values else ""


async def _body(paths: Sequence[Path], boundary: str) -> AsyncIterator[bytes]:
    """Multipart body with the files, in chunks of at most `CHUNK` bytes."""
    for path in paths:
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _unusable(why: str) -> Refused:
    """Error 502 for a DICOMweb server that fails a request."""
    return Refused(502, f"the DICOMweb server is of no use here: {why}")
