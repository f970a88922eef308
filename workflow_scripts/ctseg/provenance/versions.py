"""Versions of Python and of the packages that a job used, for its record."""

import platform
import sys
from pathlib import Path

from ctseg.provenance.code_hash import package_of, pins

REQUIREMENTS = Path(__file__).parents[3] / "requirements.txt"

_elsewhere: dict[str, str] = {}


def add_software(versions: dict[str, str]) -> None:
    """Add the `software` of another process that did the work of this one."""
    _elsewhere.update(versions)


def software() -> dict[str, str]:
    """Versions of Python and of the pinned packages that this process, or another one for it, has loaded."""
    loaded = {package_of(name): name for name in sys.modules if "." not in name}
    used = loaded.keys() & pins(REQUIREMENTS).keys()
    packages = {package: _version(package, loaded[package]) for package in used} | _elsewhere
    return {"python": platform.python_version(), **dict(sorted(packages.items()))}


def _version(package: str, module: str) -> str:
    """The version of a package with a loaded module: its `__version__`, or else that of its metadata."""
    told = vars(sys.modules[module]).get("__version__")
    if told is None:
        from importlib.metadata import version  # as slow as all the rest of a record

        told = version(package)
    return str(told)
