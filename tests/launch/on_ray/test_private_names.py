"""No file but private.py and private_cluster.py uses a private name of Ray."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.checkout import ROOT

PRIVATE = ("launch/on_ray/private.py", "launch/on_ray/private_cluster.py")
ENGLISH = re.compile(r"in str\((error|exc)\)")
PRIVATE_MODULE = re.compile(r"ray\.(tune\.execution\b|([a-z]\w*\.)*_\w)")


def private_uses(text: str) -> Iterator[tuple[int, str]]:
    """Lines of a file that imports Ray, or names a module of it, and what of Ray is private there."""
    tree = ast.parse(text)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = [(node.lineno, name) for node in imports for name in names_of(node)]
    of_ray = [(line, name) for line, name in modules if name.partition(".")[0] == "ray"]
    yield from ((line, name) for line, name in of_ray if PRIVATE_MODULE.match(name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and PRIVATE_MODULE.match(str(node.value)):
            yield node.lineno, str(node.value)
    if of_ray:
        yield from private_attributes(tree)


def private_attributes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Names that begin with one underscore on any object but `self`, and tricks that change an object of Ray's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not is_dunder(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Assign) and "__class__" in ast.unparse(node.targets[0]):
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.keyword) and (node.arg or "").startswith("_"):
            yield node.value.lineno, f"{node.arg}="
        elif isinstance(node, ast.FunctionDef | ast.AnnAssign | ast.Assign) and (name := defined(node)):
            yield node.lineno, name
        elif isinstance(node, ast.Compare) and ENGLISH.search(ast.unparse(node)):
            yield node.lineno, ast.unparse(node)


def names_of(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]


def is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def defined(node: ast.AST) -> str:
    """Names that a class of ours would override in Ray's scheduler without a public counterpart."""
    targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    return next(iter(names & {"_supports_buffered_results", "_metric"}), "")


def test_only_two_files_touch_private_names_of_ray() -> None:
    files = [path for package in ("groupdir", "launch", "analysis") for path in (ROOT / package).rglob("*.py")]
    assert len(files) > 100
    uses = [
        f"{path.relative_to(ROOT)}:{line}: {what}: move it to {PRIVATE[0]}"
        for path in sorted(files)
        if path.relative_to(ROOT).as_posix() not in PRIVATE
        for line, what in private_uses(path.read_text(encoding="utf-8"))
    ]
    assert not uses, "\n".join(uses)


@pytest.mark.parametrize(
    "line",
    [
        "from ray._private.state import state",
        "from ray.autoscaler._private.util import prepare_config",
        "import ray.autoscaler._private.util",
        "from ray import _raylet",
        "from ray.tune.execution.tune_controller import TuneController",
        "controller._started_actors.discard(3)",
        "trial.__class__ = int",
        "ray.init(_temp_dir='x')",
        "class A:\n    _supports_buffered_results = False",
        "text = 'dead' in str(error)",
        "name = 'ray._private.state'",
    ],
)
def test_a_private_name_is_seen(line: str) -> None:
    assert list(private_uses(f"import ray\n{line}\n"))
    assert not list(private_uses("import ray\nself._mine = ray.init()\ntype(self).__name__\n"))
