"""A hash of what a script does: of its source, of all in the library that it uses, and the versions of the packages.

Snakemake sees neither a change in a module that a script imports nor the difference between a new line of code and a
new comment, nor another version of a package. With this hash among a rule's params, its jobs run again when the code
that they can reach changed, and only then.

What counts are top-level statements, not modules: a function, class or constant counts if the script uses its name, or
a statement that counts does, anywhere but in an annotation. All methods of a class count. So a definition may move to
another module, and another one may be added beside it, and no job runs again.
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
}  # by import
PIN = re.compile(r"([\w.-]+)(?:\[.*\])?==(\S+)")


def code_hash(script: str | Path, search: str | Path, requirements: str | Path | None = None) -> str:
    """16 hexadecimal digits that stand for the code of `script`, a path relative to the folder `search`, or absolute.

    Comments, docstrings, formatting, annotations, file times and the place of folders and definitions do not matter.
    Names are followed through every import statement, also inside functions, to files below `search`; where a module is
    handed on as a whole, all of it counts. Of packages that are pinned in the file `requirements` the version counts;
    others are left to the environment. Imports by computed names (importlib) and data files are not seen, and what only
    `job` imports does not count.

    Files are read once a process. Raises OSError for a missing script and SyntaxError for one that does not parse.
    """
    found = _library(Path(search)).reached_from(Path(search) / script)
    pinned = pins(requirements) if requirements else {}
    versions = {f"{name} {pinned[name]}" for name in map(package_of, found.packages) if name in pinned}
    text = "\n".join([*sorted(set(found.digests.values())), *sorted(versions)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_hashes(search: Path, requirements: Path, kept: Path) -> dict[str, str]:
    """The hash of each script in a folder, by its name without .py.

    The file `kept` spares other processes the work as long as no file changes; it need not be there, nor be writable.
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
    """16 hexadecimal digits that stand for the bytes of all files of a folder, in the order of their names."""
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
