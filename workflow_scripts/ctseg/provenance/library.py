"""The files below a folder as a graph of top-level statements, linked from used names to their definitions."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ctseg.provenance.source import Binding, Source, Statement, parse

BESIDE = frozenset({"job"})  # modules that log and record what scripts do, and change no result
Node = tuple[str, int]  # a module, and the index of one of its statements


@dataclass(frozen=True)
class Target:
    """Target of a name: statements of the library, or an object of an installed package.

    `identity` does not depend on the place of the statements.
    """

    identity: str
    nodes: tuple[Node, ...] = ()
    package: str = ""


@dataclass(frozen=True)
class Linked:
    """A statement with the statements, modules and packages that its names lead to."""

    digest: str
    nodes: frozenset[Node]
    modules: frozenset[str]
    packages: frozenset[str]


@dataclass
class Statements:
    """Reached statements, each with a digest of itself and of the targets of its names, and reached packages."""

    digests: dict[Node, str] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)


class Library:
    """The Python files below `folder`. Each file is read once, when a name leads to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._paths: dict[str, Path | None] = {}
        self._sources: dict[str, Source] = {}
        self._places: dict[str, dict[str, list[int]]] = {}
        self._linked: dict[Node, Linked] = {}

    def reached_from(self, script: Path) -> Statements:
        """All statements of a script, and those that they reach."""
        main = f"__main__ {script}"
        self._paths[main] = script
        found, imported = Statements(), {main}
        waiting = [*self._all(main), *self._import(main, imported, found)]
        while waiting:
            node = waiting.pop()
            if node in found.digests:
                continue
            linked = self._link(node)
            found.digests[node] = linked.digest
            found.packages |= linked.packages
            waiting.extend(linked.nodes)
            for module in sorted(linked.modules - imported):
                waiting.extend(self._import(module, imported, found))
        return found

    def _link(self, node: Node) -> Linked:
        """A statement with the targets of its names."""
        if node not in self._linked:
            statement = self._statement(node)
            # A name may have several targets: a function may import a name that its module also imports or defines.
            named = list(self._targets(node[0], statement))
            links = sorted(f"{name}={target.identity}" for name, target in named)
            nodes = frozenset(one for _, target in named for one in target.nodes)
            modules = {module for binding in statement.bindings for module in self._imported(binding)}
            self._linked[node] = Linked(
                _digest([statement.digest, *links]),
                nodes,
                frozenset(modules | {module for module, _ in nodes}),
                frozenset(target.package for _, target in named if target.package),
            )
        return self._linked[node]

    def _import(self, module: str, imported: set[str], found: Statements) -> Iterator[Node]:
        """Statements that run when a module is imported, also in the modules that it imports itself."""
        waiting = [module]
        while waiting:
            module = waiting.pop()
            imported.add(module)
            source = self.source(module)
            yield from ((module, place) for place, statement in enumerate(source.statements) if statement.runs)
            for binding in source.unused:
                target = self._resolve(binding, "")
                yield from target.nodes
                found.packages.update(filter(None, [target.package]))
            new = {name for binding in source.bindings for name in self._imported(binding)} - imported
            imported |= new
            waiting.extend(sorted(new))

    def _targets(self, module: str, statement: Statement) -> Iterator[tuple[str, Target]]:
        """Targets of the names in a statement; names of arguments and of Python itself are left out."""
        outside = self.source(module).bindings
        used = {name for name, _ in statement.references}
        for name, attribute in statement.references:
            for binding in (*statement.bindings, *outside):
                if binding[0] == name:
                    yield f"{name}.{attribute}", self._resolve(binding, attribute)
            if name in self._defined(module):
                yield f"{name}.", self._lookup(module, name)
        for binding in statement.bindings:
            if binding[0] not in used:
                yield " ".join(binding), self._resolve(binding, "")

    def _resolve(self, binding: Binding, attribute: str) -> Target:
        """Target of an import, or of an attribute of the imported module."""
        name, module, inner = binding
        whole = f"{module}.{inner}" if inner else module
        if module in BESIDE:
            return Target("")
        if self._path(whole):
            is_itself = inner or name != whole.partition(".")[0] or "." not in whole  # not the `a` of `import a.b`
            return self._lookup(whole, attribute) if attribute and is_itself else self._module(whole)
        if inner and self._path(module):
            return self._module(module) if inner == "*" else self._lookup(module, inner)
        return Target(whole, package=module.partition(".")[0])

    def _lookup(self, module: str, name: str) -> Target:
        """Target of a name in a module: a definition, an import, a submodule, or else all of the module."""
        if places := self._defined(module).get(name):
            nodes = tuple((module, place) for place in places)
            return Target(_digest(self._statement(node).digest for node in nodes), nodes)
        for binding in self.source(module).bindings:
            if binding[0] == name:
                return self._resolve(binding, "")
        below = f"{module}.{name}"
        return self._module(below if self._path(below) else module)

    def _module(self, module: str) -> Target:
        """Target of a whole module: all of its statements."""
        nodes = tuple(self._all(module))
        return Target(_digest(self._statement(node).digest for node in nodes), nodes)

    def _all(self, module: str) -> Iterator[Node]:
        return ((module, place) for place in range(len(self.source(module).statements)))

    def _imported(self, binding: Binding) -> Iterator[str]:
        """Modules of the folder that run when a name is imported, with their parent packages."""
        _, module, inner = binding
        parts = [*module.split("."), *filter(None, [inner])]
        for end in range(1, len(parts) + 1):
            if (name := ".".join(parts[:end])) not in BESIDE and self._path(name):
                yield name

    def _statement(self, node: Node) -> Statement:
        return self.source(node[0]).statements[node[1]]

    def _defined(self, module: str) -> dict[str, list[int]]:
        """Indices of the statements that define each name of a module."""
        if module not in self._places:
            places: dict[str, list[int]] = {}
            for place, statement in enumerate(self.source(module).statements):
                for name in statement.names:
                    places.setdefault(name, []).append(place)
            self._places[module] = places
        return self._places[module]

    def source(self, module: str) -> Source:
        """The parsed file of a module. Raises SyntaxError if it does not parse."""
        if module not in self._sources:
            path = self._path(module)
            assert path
            name = module.partition(" ")[0]
            self._sources[module] = parse(path.read_bytes(), name, path.name == "__init__.py", str(path))
        return self._sources[module]

    def _path(self, module: str) -> Path | None:
        """The file of a module; None if it is not below the folder."""
        if module not in self._paths:
            path = self.folder.joinpath(*module.split("."))
            candidates = (path / "__init__.py", path.with_name(f"{path.name}.py"))
            self._paths[module] = next((candidate for candidate in candidates if candidate.is_file()), None)
        return self._paths[module]


def _digest(words: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()
