"""Offline use of the RO-Crate validator (roc-validator): this module provides the contexts that it would download."""

import json
from pathlib import Path
from typing import Any

import pytest

RUN_TERMS = "https://w3id.org/ro/terms/workflow-run#"
RUN_CONTEXT = {
    "@context": {
        name: RUN_TERMS + name
        for name in ("ParameterConnection", "connection", "sourceParameter", "targetParameter", "sha256", "environment")
    }
}


def _context(url: str) -> Any:
    """JSON-LD context at `url`. RO-Crate's is from the library rocrate, with the bioschemas URLs of version 1.1."""
    import rocrate

    if "workflow-run" in url:
        return RUN_CONTEXT
    assert "ro/crate" in url, url
    text = (Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_text(encoding="utf-8")
    return json.loads(text.replace("https://bioschemas.org/terms/", "https://bioschemas.org/"))


class _Answer:
    """Response to the HTTP requests of the validator."""

    status_code, ok = 200, True

    def __init__(self, url: str, **_options: Any) -> None:
        self.url, self.text = url, json.dumps(_context(url))
        self.headers = {"Content-Type": "application/ld+json"}

    def json(self) -> Any:
        return json.loads(self.text)

    def raise_for_status(self) -> None: ...


def problems_of(folder: Path, severity: str = "REQUIRED") -> list[str]:
    """Problems that the validator finds in the crate of a folder, by the profile Provenance Run Crate."""
    pytest.importorskip("rocrate_validator", reason="roc-validator is installed by `make test-slow`")
    from rocrate_validator import models, services
    from rocrate_validator.utils import document_loader
    from rocrate_validator.utils.http import HttpRequester

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_loader, "_fetch_json_ld", _context)
        for method in ("get", "head"):
            patch.setattr(HttpRequester, method, lambda _self, url, **options: _Answer(url, **options), raising=False)
        settings = services.ValidationSettings(
            rocrate_uri=str(folder),
            profile_identifier="provenance-run-crate-0.5",
            requirement_severity=models.Severity[severity],
            abort_on_first=False,
        )
        return [issue.message for issue in services.validate(settings).get_issues()]
