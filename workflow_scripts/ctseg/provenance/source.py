"""One Python file as a list of top-level statements, each with the names that it defines and uses, and a digest.

Comments, docstrings, formatting and annotations do not change a digest. Import statements are replaced by the names
that they bind, so that a definition keeps its digest when it is moved to another module.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})  # redundant, or without effect
HARMLESS = frozenset(
    {"cache", "cached_property", "contextmanager", "dataclass", "lru_cache", "no_grad", "once_differentiable", "wraps"}
)
LOGS = re.compile(r"(log|logger)\.(debug|info|warning|error|exception)")
Binding = tuple[str, str, str]  # name, the module that it stands for or comes from, its name there or ""
Reference = tuple[str, str]  # name, and the first attribute that is taken of it or ""


@dataclass(frozen=True)
class Statement:
    """A statement at the top level of a file.

    `names` are the names that it defines. With `runs` it has an effect whenever its module is imported, as a call or a
    loop has, and is included in a hash even if no code uses its names. `references` are all names that it uses when it
    runs or is called, `bindings` the names bound by imports inside of it.
    """

    names: tuple[str, ...]
    runs: bool
    digest: str
    references: tuple[Reference, ...]
    bindings: tuple[Binding, ...]


@dataclass(frozen=True)
class Source:
    """A file: its statements, and the names that its top-level imports bind; `unused` are those never mentioned."""

    statements: tuple[Statement, ...]
    bindings: tuple[Binding, ...]
    unused: tuple[Binding, ...]


def parse(text: bytes, module: str, is_package: bool, path: str) -> Source:
    """Parse the text of a file that is imported as `module`. Raises SyntaxError, with `path`, if it does not parse."""
    package = module if is_package else module.rpartition(".")[0]
    statements: list[Statement] = []
    bindings: list[Binding] = []
    mentioned: set[str] = set()
    for node in ast.parse(text, path).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            bindings.extend(_bound(node, package))
        elif not _is_docstring(node) and not _is_for_types(node):
            statements.append(_statement(node, package))
            mentioned.update(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    return Source(
        tuple(statements), tuple(bindings), tuple(binding for binding in bindings if binding[0] not in mentioned)
    )


def _statement(node: ast.stmt, package: str) -> Statement:
    """Names, digest, references and import bindings of a statement."""
    words: list[str] = []
    _describe(node, words)
    references: set[Reference] = set()
    _refer(node, references)
    imports = [part for part in ast.walk(node) if isinstance(part, ast.Import | ast.ImportFrom)]
    bound = {binding for part in imports for binding in _bound(part, package)}
    digest = hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()
    names = _defined(node)
    return Statement(names, not names or _is_registered(node), digest, tuple(sorted(references)), tuple(sorted(bound)))


def _bound(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[Binding]:
    """Bindings of an import statement; a star import is one binding with the name `*`."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0], alias.name, ""
    else:
        parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*parents, *([node.module] if node.module else [])])
        for alias in node.names:
            yield alias.asname or alias.name, base, alias.name


def _defined(node: ast.stmt) -> tuple[str, ...]:
    """The names that a statement defines if it has no other effect; else none."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        names: list[ast.expr] = [ast.Name(node.name)]
    elif isinstance(node, ast.Assign):
        names = [part for target in node.targets for part in getattr(target, "elts", [target])]
    elif isinstance(node, ast.AnnAssign):
        names = [node.target]
    else:
        return ()
    found = tuple(name.id for name in names if isinstance(name, ast.Name) and not name.id.startswith("__"))
    return found if len(found) == len(names) else ()


def _is_registered(node: ast.stmt) -> bool:
    """Whether a decorator may do more than change the decorated definition."""
    decorators = [part.func if isinstance(part, ast.Call) else part for part in getattr(node, "decorator_list", [])]
    return any(ast.unparse(part).rpartition(".")[2] not in HARMLESS for part in decorators)


def _refer(node: ast.AST, references: set[Reference]) -> None:
    """Collect the names that code uses when it runs; annotations are skipped."""
    if isinstance(node, ast.Name):
        references.add((node.id, ""))
        return
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        references.add((node.value.id, node.attr))
        return
    for field in node._fields:
        value = None if field in ("annotation", "returns") else getattr(node, field, None)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.AST):
                _refer(part, references)


def _describe(node: ast.AST, words: list[str]) -> None:
    """Append the syntax tree as words, which are equal in all versions of Python, unlike those of `ast.dump`.

    Empty fields are left out, because newer versions add some, and so are imports. Docstrings (statements that are only
    a string) are left out and texts of log messages are emptied, because they change no result.
    """
    kind = type(node)
    if kind is ast.Call and LOGS.fullmatch(ast.unparse(node.func)):  # type: ignore[attr-defined]
        node = _LogText().visit(node)
    words.append(kind.__name__)
    for field in node._fields:
        value = None if field in _silent(node) else getattr(node, field, None)
        if isinstance(value, list):
            value = [
                item for item in value if not _is_docstring(item) and not isinstance(item, ast.Import | ast.ImportFrom)
            ]
        if field in IGNORED_FIELDS or value == [] or (value is None and kind is not ast.Constant):
            continue
        words.append(field)
        if isinstance(value, ast.AST):
            _describe(value, words)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, ast.AST):
                    _describe(item, words)
                else:
                    words.append(repr(item))
            words.append("]")
        else:
            words.append(repr(value))
    words.append(")")


class _LogText(ast.NodeTransformer):
    """Blanks the texts of a log message, and keeps the values that are computed for it."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        """An empty text in place of a text; another constant is unchanged."""
        return ast.Constant("") if isinstance(node.value, str) else node


def _silent(node: ast.AST) -> tuple[str, ...]:
    """Fields of a node without effect at run time: annotations, except those of variables and dataclass fields."""
    return () if isinstance(node, ast.AnnAssign) else ("annotation", "returns")


def _is_docstring(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_for_types(node: ast.stmt) -> bool:
    """Whether the statement is `if TYPE_CHECKING:`, which never runs."""
    test = node.test if isinstance(node, ast.If) else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"
