"""Imports of the checkout's packages, read from their syntax; `test_layers.py` and `docs/draw_rooms.py` share it.

A *room* is a top-level module or sub-package of a package: `groupdir.losses.focal` is in the room `groupdir.losses`.
A package's own `__init__.py` is its face and no room. An *arrow* from A to B means that a file of A imports one of B.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("groupdir", "launch", "analysis")
BY_NAME = {"import_module", "__import__"}


@dataclass(frozen=True)
class Import:
    """One import: the importing module, the imported one, the line, and whether it runs when the file is loaded."""

    importer: str
    target: str
    line: int
    at_load: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


def module_name(path: Path, root: Path) -> str:
    """Return the dotted name of a file; `a/b/__init__.py` is `a.b`."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(root: Path, packages: Iterable[str] = PACKAGES) -> dict[str, Path]:
    """Return every module of the packages, by name."""
    paths = sorted(path for package in packages for path in (root / package).rglob("*.py"))
    return {module_name(path, root): path for path in paths}


def nodes(tree: ast.AST, at_load: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Yield every node, and whether it runs when the module is loaded; `if TYPE_CHECKING:` does not."""
    for child in ast.iter_child_nodes(tree):
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        only_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield child, at_load
        yield from nodes(child, at_load and not inside and not only_types)


def imports_of(source: str, importer: str, known: Iterable[str] = ()) -> list[Import]:
    """Return all imports of one module, those inside functions too.

    `from a import b` gives `a.b` where that is one of the `known` modules or `a` is not known, and `a` otherwise.
    `importlib.import_module("a.b")` counts; a computed name does not.

    Raises:
        ValueError: the module has a relative import.
    """
    known = set(known)
    imports = []
    for node, at_load in nodes(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            raise ValueError(f"{importer}:{node.lineno}: imports must be absolute, got `{ast.unparse(node)}`")
        targets = dict.fromkeys(targets_of(node, known))
        imports += [Import(importer, target, node.lineno, at_load) for target in targets]  # type: ignore[attr-defined]
    return imports


def targets_of(node: ast.AST, known: set[str]) -> list[str]:
    """Return the modules that a node imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in known or node.module not in known else node.module for name in names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in BY_NAME and node.args:
        name = node.args[0]
        return [name.value] if isinstance(name, ast.Constant) and isinstance(name.value, str) else []
    return []


def all_imports(root: Path, packages: Iterable[str] = PACKAGES) -> list[Import]:
    """Return the imports of every module of the packages, in the order of files and lines."""
    paths = modules(root, packages)
    return [item for name, path in paths.items() for item in imports_of(path.read_text(encoding="utf-8"), name, paths)]


def room(module: str) -> str:
    """Return the room of a module; a package's face gives the package."""
    return ".".join(module.split(".")[:2])


def rooms(names: Iterable[str]) -> list[str]:
    """Return the rooms of some modules, sorted, faces of packages left out."""
    return sorted({room(name) for name in names if "." in name})


def room_arrows(imports: Iterable[Import], within: Iterable[str]) -> set[tuple[str, str]]:
    """Return the arrows between the given rooms; an import inside a room is none."""
    within = set(within)
    pairs = {(room(item.importer), room(item.target)) for item in imports}
    return {(one, other) for one, other in pairs if one != other and {one, other} <= within}


def file_arrows(imports: Iterable[Import], within: Iterable[str]) -> set[tuple[str, str]]:
    """Return the arrows between the given modules."""
    within = set(within)
    pairs = {(item.importer, item.target) for item in imports}
    return {(one, other) for one, other in pairs if one != other and {one, other} <= within}


def circles(names: Iterable[str], arrows: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the groups of names that reach one another along the arrows, each group sorted."""
    names = sorted(names)
    after = {name: sorted(other for one, other in arrows if one == name) for name in names}
    reach = {name: reachable(name, after) for name in names}
    groups = {tuple(sorted({name} | {other for other in reach[name] if name in reach[other]})) for name in names}
    return sorted(list(group) for group in groups if len(group) > 1)


def reachable(name: str, after: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the names that the arrows lead to from a name."""
    reached: set[str] = set()
    waiting = list(after[name])
    while waiting:
        other = waiting.pop()
        if other not in reached:
            reached.add(other)
            waiting += after[other]
    return reached
