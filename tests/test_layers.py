"""Who may import whom: every file is parsed, imports inside functions count too, and what --help loads is measured."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGES = ("groupdir", "launch", "analysis")

# groupdir from top to bottom: a module imports from rows above its own, or from its own folder.
ORDER = (
    "errors",
    "registry",
    "yamlfile",
    "validation",
    "config",
    "method_config",
    "domains",
    "search_config",
    "space",
    "table",
    "records",
    "bins",
    "transfer",
    "labels",
    "metrics",
    "losses",
    "smoothing",
    "resampling",
    "data",
    "resampled",
    "models",
    "part",
    "group_losses",
    "regularizers",
    "group_criteria",
    "methods",
    "optim",
    "evaluate",
    "checkpoint",
    "storage",
    "lease",
    "stages",
    "device_memory",
    "training_set",
    "trainer",
    "packing",
    "probe",
    "trainable",
    "tensorboard",
    "rerun",
    "predict",
    "label_counts",
    "label_tables",
    "describe",
    "schema",
    "cli",
)
# These load no torch; the first import of a program on the driver, and all that analysis may take from groupdir.
TORCH_FREE = (
    "",
    "errors",
    "registry",
    "yamlfile",
    "validation",
    "config",
    "method_config",
    "domains",
    "search_config",
    "space",
    "records",
    "metrics",
)

HEAVY_FIGURES = {"matplotlib", "plotly", "seaborn"}
# Package -> what no file of it may import, at any depth.
NEVER = {
    "groupdir": {"launch", "analysis", "tests", "optuna", "pandas", "moocore"} | HEAVY_FIGURES,
    "launch": {"analysis", "tests"} | HEAVY_FIGURES,
    "analysis": {"launch", "tests", "torch", "torchvision", "ray", "optuna"},
}
# Package -> what only the named file of groupdir may import.
ONLY = {"ray": "groupdir.trainable"}
# Not at the top of any file of groupdir: a worker that reads no Parquet does not pay for it.
LATE_IN_GROUPDIR = {"pyarrow"}
# The one place where a name becomes a module.
MAY_IMPORT_BY_NAME = {"groupdir.registry"}


@dataclass(frozen=True)
class Import:
    """One import: who, whom, where, and whether it runs when the file is loaded."""

    importer: str
    target: str
    line: int
    at_load: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nodes(tree: ast.AST, at_load: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it runs when the module is loaded; `if TYPE_CHECKING:` does not."""
    for child in ast.iter_child_nodes(tree):
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        only_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield child, at_load
        yield from nodes(child, at_load and not inside and not only_types)


def imports_of(source: str, importer: str) -> list[Import]:
    """All imports of one module by absolute name; `from a import b` gives a.b, a module or not."""
    found = []
    for node, at_load in nodes(ast.parse(source)):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{importer}:{node.lineno}: imports must be absolute, got `{ast.unparse(node)}`"
            assert node.module is not None
            targets = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}:
            name = node.args[0] if node.args else None
            literal = isinstance(name, ast.Constant) and isinstance(name.value, str)
            allowed = literal or importer in MAY_IMPORT_BY_NAME
            assert allowed, f"{importer}:{node.lineno}: only {sorted(MAY_IMPORT_BY_NAME)} may import by a computed name"
            targets = [name.value] if literal else []
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.path":
            raise AssertionError(f"{importer}:{node.lineno}: sys.path must be left alone")
        found += [Import(importer, target, node.lineno, at_load) for target in targets]
    return found


def layer(module: str) -> str:
    """`groupdir.losses.focal` is in "losses", `groupdir` itself in ""."""
    return module.split(".")[1] if "." in module else ""


def complaint(item: Import) -> str | None:
    """What is wrong with an import, or None."""
    package, top = item.importer.split(".")[0], item.target.split(".")[0]
    if top in NEVER[package]:
        return f"{item}: {package} must not import {top}"
    if package == "groupdir" and top in ONLY and item.importer != ONLY[top]:
        return f"{item}: in groupdir only {ONLY[top]} may import {top}"
    if package == "groupdir" and top in LATE_IN_GROUPDIR and item.at_load:
        return f"{item}: {top} must be imported inside the function that needs it"
    if top == "groupdir" and package == "analysis" and layer(item.target) not in {*TORCH_FREE, "__version__"}:
        return f"{item}: analysis may import only what loads no torch: {TORCH_FREE[1:]}"
    if top == "groupdir" and package == "groupdir":
        return order_complaint(item)
    return None


def order_complaint(item: Import) -> str | None:
    """What is wrong with an import inside groupdir, or None."""
    mine, other = layer(item.importer), layer(item.target)
    if mine == "" or other in {mine, "", "__version__"}:
        return (
            None if mine != "" or other == "__version__" else f"{item}: groupdir/__init__.py must stay empty of imports"
        )
    unplaced = {mine, other} - set(ORDER)
    if unplaced:
        return f"{item}: {sorted(unplaced)} has no row in ORDER (tests/test_layers.py); say where it stands"
    if ORDER.index(other) > ORDER.index(mine):
        return f"{item}: imports go up, {other} is below {mine}"
    return None


def files(root: Path) -> list[Path]:
    return sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))


def all_imports(root: Path) -> list[Import]:
    return [item for path in files(root) for item in imports_of(path.read_text("utf-8"), module_name(path, root))]


def test_the_packages_are_there(root: Path) -> None:
    for name in ("groupdir/__init__.py", "groupdir/cli.py", "launch/__init__.py", "launch/__main__.py"):
        assert (root / name).is_file(), f"{name} is missing"
    for name in ("analysis/__init__.py", "analysis/__main__.py"):
        assert (root / name).is_file(), f"{name} is missing"


def test_every_import_goes_up(root: Path) -> None:
    found = all_imports(root)
    assert found, "no import was found: is this the checkout?"
    wrong = [text for item in found if (text := complaint(item))]
    assert not wrong, "\n".join(wrong)


def test_every_module_of_groupdir_has_a_row(root: Path) -> None:
    names = {layer(module_name(path, root)) for path in (root / "groupdir").rglob("*.py")} - {"", "__main__"}
    assert not names - set(ORDER), "say in ORDER where these stand"
    assert not set(ORDER) - names, "ORDER has rows for modules that are not there"


def test_no_plug_in_is_imported_but_by_its_name(root: Path) -> None:
    """Methods, data sets and encoders do not build on one another: what two share stands in a file of its own."""
    from groupdir.registry import TABLES

    plug_ins = {target.partition(":")[0] for table in TABLES.values() for target in table.values()}
    wrong = [
        str(item)
        for item in all_imports(root)
        if any(item.target == name or item.target.startswith(name + ".") for name in plug_ins - {item.importer})
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        ("groupdir.training.trainer", "import launch"),
        ("groupdir.training.trainer", "def f():\n    from analysis.pareto import pareto_front"),
        ("groupdir.training.trainer", "import ray.tune"),
        ("groupdir.files.records", "import pandas as pd"),
        ("groupdir.files.records", "import pyarrow"),
        ("groupdir.losses.focal", "from groupdir.methods.base import Method"),
        ("groupdir.losses.focal", "from groupdir import trainer"),
        ("groupdir.novelty", "from groupdir.errors import DataError"),
        ("groupdir", "from groupdir.errors import DataError"),
        ("launch.search", "import importlib\nimportlib.import_module('analysis.load')"),
        ("analysis.load", "def f():\n    import torch"),
        ("analysis.load", "from groupdir.training.trainer import run_trial"),
        ("analysis.load", "from groupdir import labels"),
        ("analysis.load", "import optuna"),
    ],
)
def test_a_wrong_import_is_found(importer: str, source: str) -> None:
    assert [text for item in imports_of(source, importer) if (text := complaint(item))]


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        ("groupdir.trainable", "import ray"),
        ("groupdir.files.records", "def f():\n    import pyarrow"),
        ("groupdir.losses.focal", "from groupdir.losses.checks import positive\nfrom groupdir.errors import DataError"),
        ("launch.search", "import ray, optuna\nfrom groupdir.trainable import Trainable"),
        ("analysis.load", "from groupdir import records\nfrom groupdir.errors import DataError"),
    ],
)
def test_a_right_import_is_left_alone(importer: str, source: str) -> None:
    assert not [text for item in imports_of(source, importer) if (text := complaint(item))]


@pytest.mark.parametrize(
    "source",
    ["from . import labels", "from ..launch import search", "import sys\nsys.path.insert(0, '.')", "__import__(name)"],
)
def test_ways_around_are_refused(source: str) -> None:
    with pytest.raises(AssertionError):
        imports_of(source, "groupdir.training.trainer")


def loaded(root: Path, *arguments: str) -> set[str]:
    """The modules that a Python run from the checkout loads; its exit code must be 0."""
    command = [sys.executable, "-X", "importtime", *arguments]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    lines = run.stderr.splitlines()
    timed = [line for line in lines if line.startswith("import time:")]
    said = "\n".join(line for line in lines if line not in timed)
    assert run.returncode == 0, f"{' '.join(arguments)} ended with {run.returncode}:\n{said}"
    return {line.rsplit("|", 1)[1].strip() for line in timed}


@pytest.mark.parametrize("module", TORCH_FREE)
def test_importing_it_loads_nothing_heavy(root: Path, module: str) -> None:
    modules = loaded(root, "-c", f"import groupdir.{module}".rstrip("."))
    assert "groupdir" in modules
    assert not modules & {"torch", "ray", "optuna", "pandas", "pyarrow", "sklearn", "tensorboard", *HEAVY_FIGURES}


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "launch", "--help"),
        ("-m", "analysis", "--help"),
        ("-c", "import sys; from groupdir.cli import main; sys.argv[0] = 'groupdir'; main()", "--help"),
    ],
    ids=["launch", "analysis", "groupdir"],
)
def test_help_loads_no_torch(root: Path, arguments: tuple[str, ...]) -> None:
    modules = loaded(root, *arguments)
    assert "typer" in modules
    assert "torch" not in modules
