"""Real DICOMweb server on this machine: Orthanc with its DICOMweb plugin, from the packages of the system."""

import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from processes import stop
from service import free_port


def _found(name, *folders):
    """First file that matches the pattern `name` in these folders; None if there is none."""
    return next((path for folder in folders for path in sorted(Path(folder).glob(name))), None)


def orthanc_files():
    """Program, plugin and root folder (ORTHANC_ROOT may hold unpacked packages) of Orthanc; skips if it is missing."""
    root = Path(os.environ.get("ORTHANC_ROOT", "/"))
    program = _found("Orthanc", root / "usr/sbin") or shutil.which("Orthanc")
    plugin = _found("libOrthancDicomWeb.so*", root / "usr/share/orthanc/plugins", root / "usr/lib/orthanc")
    if not program or not plugin:
        pytest.skip("needs Orthanc: apt-get install orthanc orthanc-dicomweb")
    return program, plugin, root


@contextmanager
def orthanc(folder):
    """Run Orthanc with its data in `folder`; yields the URL of its DICOMweb service."""
    program, plugin, root = orthanc_files()
    port = free_port()
    settings = {"HttpPort": port, "DicomServerEnabled": False, "Plugins": [str(plugin)], "DicomWeb": {"Enable": True}}
    settings |= {"StorageDirectory": str(folder / "storage"), "IndexDirectory": str(folder / "storage")}
    (folder / "orthanc.json").write_text(json.dumps(settings))
    libraries = os.pathsep.join(map(str, (root / "usr/lib/x86_64-linux-gnu", root / "lib/x86_64-linux-gnu")))
    environment = os.environ | {"DCMDICTPATH": str(_found("dicom.dic", *root.glob("usr/share/libdcmtk*")))}
    if root != Path("/"):
        environment["LD_LIBRARY_PATH"] = libraries
    with (folder / "orthanc.log").open("wb") as log:
        command = [str(program), str(folder / "orthanc.json")]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    url = f"http://127.0.0.1:{port}/dicom-web"
    try:
        _wait(process, url, folder / "orthanc.log")
        yield url
    finally:
        stop(process)


def _wait(process, url, log, seconds=60):
    """Wait until Orthanc answers. Raises AssertionError with its log."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and process.poll() is None:
        try:
            if httpx.get(f"{url}/studies").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text())
