"""Names of the library that a script reaches: a simple independent check of the code hash."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from places import SCRIPTS

BESIDE = frozenset({"job"})  # excluded, as in code_hash
Name = tuple[str, str]  # a module and a name defined in it


@dataclass(frozen=True)
class Module:
    """Names that each top-level definition of a module refers to; the key "" has those of all other statements."""

    uses: dict[str, frozenset[Name]]


@cache
def file_of(module: str) -> Path | None:
    """File of a module in the folder of the scripts; None for other modules and for packages, which define no names."""
    path = SCRIPTS.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.is_file() else None


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Name]]:
    """Each name that an import statement binds, with its module and name in the module ("" for the module itself)."""
    for alias in node.names:
        bound = alias.asname or alias.name
        if isinstance(node, ast.Import):
            if file_of(alias.name):
                yield bound, (alias.name, "")
        elif file_of(f"{node.module}.{alias.name}"):
            yield bound, (f"{node.module}.{alias.name}", "")
        elif file_of(node.module or ""):
            yield bound, (node.module or "", alias.name)


class References(ast.NodeVisitor):
    """Visitor that collects the names and attributes that code uses at run time; annotations are ignored."""

    def __init__(self) -> None:
        self.found: set[tuple[str, str]] = set()

    def visit_Name(self, node: ast.Name) -> None:
        """Collect a name."""
        self.found.add((node.id, ""))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Collect a name with an attribute, as `module.function`."""
        if isinstance(node.value, ast.Name):
            self.found.add((node.value.id, node.attr))
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        """Ignore the annotation of an argument."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Visit only the value of a field or variable, without its annotation."""
        if node.value:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Visit a function, without the annotation of its return value."""
        for part in (*node.decorator_list, node.args, *node.body):
            self.visit(part)


def defined(node: ast.stmt) -> list[str]:
    """Names that a top-level statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [name.id for target in targets if target for name in ast.walk(target) if isinstance(name, ast.Name)]


@cache
def read(module: str) -> Module:
    """Parse a module of the library, or a script."""
    path = file_of(module)
    assert path
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    bound = {name: place for node in nodes for name, place in imported(node)}
    own = {name for node in tree.body for name in defined(node)}
    uses: dict[str, set[Name]] = {"": set()}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) or is_for_types(node):
            continue
        visitor = References()
        visitor.visit(node)
        found = set()
        for name, attribute in visitor.found:
            if name in bound:
                place, inner = bound[name]
                found.add((place, inner or attribute))
            elif name in own:
                found.add((module, name))
        for name in defined(node) or [""]:
            uses.setdefault(name, set()).update(found)
    return Module({name: frozenset(of) for name, of in uses.items()})


def is_for_types(node: ast.stmt) -> bool:
    """Whether a statement is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def reached(script: str) -> set[str]:
    """Modules with a name that the script uses, directly or through other names."""
    seen: set[Name] = set()
    waiting = [(script, name) for name in read(script).uses]
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        module, name = place
        if module not in BESIDE:
            waiting.extend(read(module).uses.get(name, ()))
            waiting.append((module, ""))  # runs when the module is imported
    return {module for module, name in seen if name and module not in {script, *BESIDE}}
