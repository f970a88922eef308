"""All settings of the service, in one place: each is a command-line flag and an environment variable.

`queue_size` is `--queue-size` and `CTSEG_QUEUE_SIZE`; the flag wins. Only secrets have no flag, because every
user of a machine can see the flags of a process: the bearer tokens are `CTSEG_TOKEN` and `CTSEG_DICOMWEB_TOKEN`.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Annotated, get_type_hints

PREFIX = "CTSEG_"
MIB = 2**20
LAST_PORT = 65535
SECRETS = ("token", "dicomweb_token")
MAY_BE_ZERO = "; 0 "  # in the text of a setting, before the words that say what 0 means
MODEL = Path("model.onnx")
# Three quarters of the machine's memory: a scan that needs more fails; other programs on the machine continue.
MOST_MEMORY_GIB = round(0.75 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
FOLDER = Path(tempfile.gettempdir()) / f"ctseg-serving-{os.getuid()}"


@dataclass(frozen=True)
class Settings:
    """Settings of the service, fixed at its start. Limits are inclusive; numbers are above 0 or mean what is said."""

    model: Annotated[Path, "model.onnx, or model.ts with engine torch"] = MODEL
    host: Annotated[str, "address to listen at; others than loopback should have a token"] = "127.0.0.1"
    port: Annotated[int, "port to listen at; 0 for any free one"] = 8000
    engine: Annotated[str, "auto, openvino, onnxruntime or torch"] = "auto"
    threads: Annotated[int, "cores for the network"] = os.cpu_count() or 1
    memory_gib: Annotated[float, "memory for windows, beside the scan"] = 1.5
    gpu_memory_gib: Annotated[float, "memory of a GPU for a scan and its windows; 0 for what is usual"] = 0.0
    worker_memory_gib: Annotated[float, "memory that the worker may have in all; 0 for no limit"] = MOST_MEMORY_GIB
    folder: Annotated[Path, "where uploads and results are kept for a while"] = FOLDER
    queue_size: Annotated[int, "scans that may wait; no more are taken until one is begun"] = 8
    uploads_at_once: Annotated[int, "uploads that may be on their way; more get 429"] = 16
    uploads_per_client: Annotated[int, "how many of them may come from one address; more get 429"] = 4
    job_seconds: Annotated[float, "time limit of a segmentation"] = 600.0
    upload_seconds: Annotated[float, "time limit of an upload"] = 300.0
    upload_kib_per_second: Annotated[float, "slowest upload, on average"] = 64.0
    upload_grace_seconds: Annotated[float, "time that an upload may be behind that"] = 10.0
    keep_seconds: Annotated[float, "results are deleted after this time, also over a restart"] = 3600.0
    keep_jobs: Annotated[int, "finished jobs to keep; the oldest are deleted beyond that"] = 200
    stop_seconds: Annotated[float, "time that a running segmentation gets when the service stops; 0 for none"] = 30.0
    max_upload_mib: Annotated[float, "size of an upload"] = 1024.0
    max_unpacked_mib: Annotated[float, "size of an upload when decompressed"] = 4096.0
    max_ratio: Annotated[float, "how many times larger than its compressed form a file may be"] = 200.0
    max_entries: Annotated[int, "files in a zip"] = 5000
    max_voxels: Annotated[int, "voxels of a scan"] = 1_000_000_000
    max_dimension: Annotated[int, "voxels along an axis of a scan"] = 4096
    dicomweb_url: Annotated[str, "DICOMweb server to fetch series from and store results on; none if empty"] = ""
    dicomweb_seconds: Annotated[float, "time limit of a request to it"] = 300.0
    dicomweb_token: Annotated[str, "bearer token to send to it"] = field(default="", repr=False)
    token: Annotated[str, "bearer token that clients must send; empty for none"] = field(default="", repr=False)

    @property
    def max_upload_bytes(self) -> int:
        """Largest size of an upload, in bytes."""
        return int(self.max_upload_mib * MIB)

    @property
    def max_unpacked_bytes(self) -> int:
        """Largest size of a decompressed upload, in bytes."""
        return int(self.max_unpacked_mib * MIB)


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Settings from the command line and the environment; argparse ends the program at an invalid value."""
    parser = argparse.ArgumentParser(prog="python -m serving", description="Segment CT scans over HTTP.")
    hints = get_type_hints(Settings, include_extras=True)
    for item in fields(Settings):
        told = environment.get(PREFIX + item.name.upper(), item.default)
        if item.name in SECRETS:
            parser.set_defaults(**{item.name: told})
            continue
        kind, text = hints[item.name].__origin__, hints[item.name].__metadata__[0]
        flag = f"--{item.name.replace('_', '-')}"
        read = _number(kind, MAY_BE_ZERO in text) if kind in (int, float) else kind
        parser.add_argument(flag, type=read, default=told, help=f"{text} ({item.default})")
    settings = Settings(**vars(parser.parse_args(arguments)))
    if settings.port > LAST_PORT:
        parser.error(f"argument --port: {settings.port} is not a port, which is a number from 0 to {LAST_PORT}")
    return settings


def _number(kind: Callable[[str], float], may_be_zero: bool) -> Callable[[str], float]:
    """Reader of a number for argparse, which turns its errors into the refusal of a flag."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' if kind is int else ''}number") from None
        if not isfinite(value) or value < 0 or not (value or may_be_zero):
            raise argparse.ArgumentTypeError(f"{text} should be a number {'from 0' if may_be_zero else 'above 0'}")
        return value

    return read
