"""Hash of a script's code: its source, the library code that it uses, and the versions of pinned packages.

Snakemake does not notice a change in a module that a script imports or another version of a package, and does not
distinguish a new line of code from a new comment. With this hash in the params of a rule, its jobs run again if the
code that they can reach has changed, and only then.

The hash is made from top-level statements, not from modules: a function, class or constant is included if the script,
or another included statement, uses its name outside of an annotation. All methods of a class are included. So no job
runs again if a definition is moved to another module, or if a new definition is added to a module.
"""

import hashlib
import json
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

from ctseg.files import write_json
from ctseg.provenance.library import BESIDE, Library

PACKAGES = {
    "PIL": "pillow",
    "cc3d": "connected-components-3d",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
}  # package names by import name
PIN = re.compile(r"([\w.-]+)(?:\[.*\])?==(\S+)")


def code_hash(script: str | Path, search: str | Path, requirements: str | Path | None = None) -> str:
    """Hash of the code of `script`, 16 hexadecimal digits; the path is relative to the folder `search` or absolute.

    Comments, docstrings, formatting, annotations, texts of log messages, file times and the place of folders and
    definitions do not change the hash. Names are followed through every import statement, also inside functions, to
    files below `search`; a module that is passed on as a whole is included completely. The versions of packages that
    are pinned in the file `requirements` are included, other packages are not. Imports by computed names (importlib),
    data files, and code that only `job` imports are not included.

    Each file is read once per process. Raises OSError for a missing script and SyntaxError if a file does not parse.
    """
    found = _library(Path(search)).reached_from(Path(search) / script)
    pinned = pins(requirements) if requirements else {}
    versions = {f"{name} {pinned[name]}" for name in map(package_of, found.packages) if name in pinned}
    text = "\n".join([*sorted(set(found.digests.values())), *sorted(versions)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_hashes(search: Path, requirements: Path, kept: Path) -> dict[str, str]:
    """Hash of each script in the folder `search`, by its name without .py.

    Hashes are stored in the file `kept`, and other processes read them there until a file changes; `kept` may be
    missing or not writable.
    """
    texts = [f"{path.relative_to(search)}\0".encode() + path.read_bytes() for path in sorted(search.rglob("*.py"))]
    state = hashlib.sha256(b"\0".join([requirements.read_bytes(), *texts])).hexdigest()
    with suppress(OSError, ValueError, LookupError, TypeError):
        before = json.loads(kept.read_bytes())
        if before["state"] == state:
            return before["hashes"]
    scripts = sorted(path for path in search.glob("*.py") if path.stem not in BESIDE)
    hashes = {path.stem: code_hash(path, search, requirements) for path in scripts}
    with suppress(OSError):
        write_json(kept, {"state": state, "hashes": hashes})
    return hashes


@cache
def _library(search: Path) -> Library:
    return Library(search)


def files_hash(folder: str | Path) -> str:
    """Hash of the bytes of all files in a folder, in the order of their names, 16 hexadecimal digits."""
    files = sorted(Path(folder).iterdir())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def package_of(module: str) -> str:
    """The package that a top-level module belongs to, in lower case."""
    return PACKAGES.get(module, module).lower()


@cache
def pins(requirements: str | Path) -> dict[str, str]:
    """The version of each package that a requirements file pins, by its name in lower case."""
    lines = Path(requirements).read_text(encoding="utf-8").splitlines()
    return {match[1].lower(): match[2] for match in map(PIN.match, lines) if match}
