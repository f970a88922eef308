"""Valid and slightly invalid requests, generated from the OpenAPI schema, cause no server error."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from service import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
CHECKS = ("not_a_server_error", "status_code_conformance", "response_schema_conformance")


def test_a_thousand_requests_find_no_fault(model_folder, tmp_path):
    with serving(model_folder / "model.onnx", tmp_path / "service") as served:
        tool = Path(sys.executable).with_name("schemathesis")
        command = [tool, "run", f"{served.url}/openapi.json", "--max-examples", "250", "--seed", "1"]
        run = subprocess.run(
            [*map(str, command), "--checks", ",".join(CHECKS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert run.returncode == 0, run.stdout
        text = served.client.get("/metrics").text
    counts = dict(re.findall(r'ctseg_http_requests_total\{code="(\d+)"\} (\S+)', text))
    assert sum(map(float, counts.values())) >= 1000
    assert not [code for code in counts if code.startswith("5")]
