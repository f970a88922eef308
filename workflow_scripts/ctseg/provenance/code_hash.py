"""A hash of what a script does: of its source, the local modules that it imports, and the versions of the packages.

Snakemake sees neither a change in a module that a script imports nor the difference between a new line of code and a
new comment, nor another version of a package. With this hash among a rule's params, its jobs run again when the code
changed, and only then.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})  # follow from the rest, or do nothing

PACKAGES = {
    "PIL": "pillow",
    "cc3d": "connected-components-3d",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
}  # by import
BESIDE = frozenset({"job"})  # modules that log and record what scripts do, and change no result
PIN = re.compile(r"([\w.-]+)(?:\[.*\])?==(\S+)")


@cache
def code_hash(script: str | Path, search: str | Path, requirements: str | Path | None = None) -> str:
    """16 hexadecimal digits that stand for the code of `script`, a path relative to the folder `search`, or absolute.

    Comments, docstrings, formatting, file times and the folder's place do not matter. Modules are followed through
    every import statement, also inside functions, to files below `search`. Of packages that are pinned in the file
    `requirements` the version counts; others are left to the environment. Imports by computed names (importlib) and
    data files are not seen, and what only `job` imports does not count.

    Files are read once a process. Raises OSError for a missing script and SyntaxError for one that does not parse.
    """
    folder = Path(search)
    digest, imported = _read(folder / script, "__main__")
    pinned = pins(requirements) if requirements else {}
    digests: dict[str, str] = {}
    seen = set(imported) | BESIDE
    waiting = sorted(seen - BESIDE)
    while waiting:
        module = waiting.pop()
        path = _find(folder, module)
        if path:
            digests[module], imported = _read(path, module)
            waiting.extend(set(imported) - seen)
            seen.update(imported)
        elif (package := package_of(module)) in pinned:
            digests[module] = pinned[package]
    text = "\n".join([digest, *(f"{name} {digests[name]}" for name in sorted(digests))])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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


@cache
def _find(folder: Path, module: str) -> Path | None:
    """The file of a module, or None if it does not lie below the folder."""
    path = folder.joinpath(*module.split("."))
    candidates = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@cache
def _read(path: Path, module: str) -> tuple[str, tuple[str, ...]]:
    """The hash of one file's code, and the names of all modules that it may import."""
    tree = ast.parse(path.read_bytes(), str(path))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    words: list[str] = []
    imports: list[ast.Import | ast.ImportFrom] = []
    _describe(tree, words, imports)
    imported = {name for node in imports for name in _imported(node, package)}
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest(), tuple(sorted(imported))


def _imported(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    """The modules that an import statement may load, with the packages that they lie in."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*parents, *([node.module] if node.module else [])])
        names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
    for name in names:
        parts = name.split(".")
        yield from (".".join(parts[: end + 1]) for end in range(len(parts)))


def _describe(node: ast.AST, words: list[str], imports: list[ast.Import | ast.ImportFrom]) -> None:
    """Append the syntax tree as words, and its import statements: unlike `ast.dump`, alike in all versions of Python.

    Fields that are empty are left out, since newer versions add some. A string that stands alone is a docstring, which
    does nothing.
    """
    kind = type(node)
    words.append(kind.__name__)
    if kind is ast.Import or kind is ast.ImportFrom:
        imports.append(node)  # type: ignore[arg-type]
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            value = [item for item in value if not _is_docstring(item)]
        if field in IGNORED_FIELDS or value == [] or (value is None and kind is not ast.Constant):
            continue
        words.append(field)
        if isinstance(value, ast.AST):
            _describe(value, words, imports)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, ast.AST):
                    _describe(item, words, imports)
                else:
                    words.append(repr(item))
            words.append("]")
        else:
            words.append(repr(value))
    words.append(")")


def _is_docstring(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
