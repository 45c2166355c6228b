"""Rules about imports: every file is parsed, imports inside functions count too, and what `--help` loads is measured.

The order of rooms is written down nowhere: it follows from the imports, because there is no circle. What a file may
import follows from its place too: see `order_complaint`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.imports import (
    PACKAGES,
    Import,
    all_imports,
    circles,
    file_arrows,
    imports_of,
    modules,
    room,
    room_arrows,
    rooms,
)

HEAVY_FIGURES = {"matplotlib", "plotly", "seaborn"}
# Package -> what no file of it may import, at any depth.
NEVER = {
    "groupdir": {"launch", "analysis", "tests", "optuna", "pandas", "moocore"} | HEAVY_FIGURES,
    "launch": {"analysis", "tests"} | HEAVY_FIGURES,
    "analysis": {"launch", "tests", "torch", "torchvision", "ray", "optuna"},
}
# Doors are the modules that a person calls: no room imports them, so each package can be read from the ground up.
DOORS = {
    "groupdir": {"cli", "__main__", "trainable"},
    "launch": {"__main__", "commands", "search", "benchmark"},
    "analysis": {"__main__"},
}
# Rooms that decide, and so must work without Ray: under the simulator, in `audit`, in `--dry-run`.
FREE_OF_RAY = {"pareto", "schedulers", "sampling", "control", "study", "simulation", "screen"}
# Pure functions of tensors and arrays: they know no configuration, data set or file.
PURE = {"losses", "smoothing"}
# Not at the top of any file of groupdir: a worker that reads no Parquet does not pay for it.
LATE_IN_GROUPDIR = {"pyarrow"}
# Rooms and modules of groupdir that load no torch: all that analysis may take from groupdir.
TORCH_FREE = (
    "",
    "errors",
    "registry",
    "command_line",
    "config",
    "files",
    "study",
    "metrics",
    "bins",
    "shots",
    "bootstrap",
    "rules",
    "values",
)
# The one place where a name becomes a module.
MAY_IMPORT_BY_NAME = {"groupdir.registry"}


def place(module: str) -> str:
    """Return the room's own name: "losses" for `groupdir.losses.focal`, "" for `groupdir` itself."""
    return room(module).partition(".")[2]


def is_file(module: str, root: Path) -> bool:
    """Return whether a module is a file at the root of its package."""
    return (root / Path(*room(module).split("."))).with_suffix(".py").is_file()


def complaint(item: Import, root: Path) -> str | None:
    """Return what is wrong with an import, or None."""
    package, top = item.importer.split(".")[0], item.target.split(".")[0]
    mine = place(item.importer)
    if top in NEVER[package]:
        return f"{item}: {package} must not import {top}"
    if top == "ray" and (
        (package == "groupdir" and mine != "trainable") or (package == "launch" and mine in FREE_OF_RAY)
    ):
        return f"{item}: Ray belongs to groupdir/trainable.py, launch/on_ray, launch/doctor and launch/cluster"
    if package == "groupdir" and top in LATE_IN_GROUPDIR and item.at_load:
        return f"{item}: {top} must be imported inside the function that needs it"
    if top == "groupdir" and package == "analysis" and place(item.target) not in {*TORCH_FREE, "__version__"}:
        return f"{item}: analysis may import only what loads no torch: {', '.join(TORCH_FREE[1:])}"
    return order_complaint(item, root) if top == package else None


def order_complaint(item: Import, root: Path) -> str | None:
    """Return what is wrong with an import inside a package, or None.

    Three kinds of place follow from the tree. A package's face imports nothing. A file at the root is a door, or it is
    on the ground floor and imports other ground-floor files alone. Folders stand between the two.
    """
    package, mine, other = item.importer.split(".")[0], place(item.importer), place(item.target)
    if mine == "":
        return None if other in ("", "__version__") else f"{item}: {package}/__init__.py must stay empty of imports"
    if other in ("", "__version__", mine):
        return None
    if other in DOORS[package] and mine not in DOORS[package]:
        return f"{item}: imports go up, {other} is a door of {package} that no room may import"
    on_ground = package != "analysis" and is_file(item.importer, root) and mine not in DOORS[package]
    if (on_ground or mine in PURE) and not is_file(item.target, root):
        return f"{item}: imports go up, {mine} is on the ground floor and {other} is a room above it"
    return None


def test_the_packages_have_their_doors(root: Path) -> None:
    for package, names in DOORS.items():
        for name in ("__init__", *names - {"commands"}):
            assert (root / package / f"{name}.py").is_file(), f"{package}/{name}.py is missing"


def test_no_import_goes_up(root: Path) -> None:
    items = all_imports(root)
    assert items, "no import was read: is this the checkout?"
    wrong = [text for item in items if (text := complaint(item, root))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_circle_between_rooms(root: Path, package: str) -> None:
    """Without a circle the rooms have an order; an import that runs up closes one."""
    items, names = all_imports(root, [package]), modules(root, [package])
    assert not (wrong := circles(rooms(names), room_arrows(items, rooms(names)))), lines_of(items, wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_circle_between_files(root: Path, package: str) -> None:
    items, names = all_imports(root, [package]), modules(root, [package])
    faces = {name for name, path in names.items() if path.name == "__init__.py"}  # a face hands on its room's names
    assert not (wrong := circles(names.keys() - faces, file_arrows(items, names.keys() - faces))), wrong


def lines_of(items: list[Import], wrong: list[list[str]]) -> str:
    """Return the imports that close circles of rooms, one a line."""
    inside = [
        str(item)
        for item in items
        for circle in wrong
        if room(item.importer) != room(item.target) and {room(item.importer), room(item.target)} <= set(circle)
    ]
    return "these rooms import one another:\n" + "\n".join(inside)


def test_no_plug_in_is_imported_but_by_its_name(root: Path) -> None:
    """Plug-ins do not build on one another: what two of them share has a file of its own."""
    from groupdir.registry import TABLES

    plug_ins = {target.partition(":")[0] for table in TABLES.values() for target in table.values()}
    wrong = [
        str(item)
        for item in all_imports(root)
        if any(item.target == name or item.target.startswith(name + ".") for name in plug_ins - {item.importer})
        and not item.importer.startswith("launch.on_ray")  # Ray's own scheduler wraps the one that decides
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        ("groupdir.training.trainer", "import launch"),
        ("groupdir.training.trainer", "def f():\n    from analysis.pareto import pareto_front"),
        ("groupdir.training.trainer", "import ray.tune"),
        ("groupdir.files.storage", "import pandas as pd"),
        ("groupdir.files.storage", "import pyarrow"),
        ("groupdir.files.storage", "from groupdir.cli import app"),
        ("groupdir.losses.focal", "from groupdir.methods.base import Method"),
        ("groupdir.losses.focal", "from groupdir.files import storage"),
        ("groupdir.labels", "from groupdir.config.trial import TrialConfig"),
        ("groupdir.metrics", "def f():\n    from groupdir.files.storage import Place"),
        ("groupdir", "from groupdir.errors import DataError"),
        ("launch.pareto", "from launch.study.study import Study"),
        ("launch.study.study", "from launch.search import search"),
        ("launch.schedulers.asha", "def f():\n    import ray"),
        ("launch.search", "import importlib\nimportlib.import_module('analysis.load')"),
        ("analysis.load", "def f():\n    import torch"),
        ("analysis.load", "from groupdir.training.trainer import run_trial"),
        ("analysis.load", "from groupdir import labels"),
        ("analysis.load", "import optuna"),
    ],
)
def test_a_wrong_import_is_reported(root: Path, importer: str, source: str) -> None:
    assert [text for item in imports_of(source, importer) if (text := complaint(item, root))]


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        ("groupdir.trainable", "import ray"),
        ("groupdir.files.storage", "def f():\n    import pyarrow"),
        ("groupdir.losses.focal", "from groupdir.losses.checks import positive\nfrom groupdir.errors import DataError"),
        ("groupdir.labels", "from groupdir.bins import bin_index"),
        ("launch.search", "import ray, optuna\nfrom groupdir.trainable import Trainable"),
        ("launch.benchmark", "from launch.search import search"),
        ("analysis.load", "from groupdir.files import storage\nfrom groupdir.errors import DataError"),
    ],
)
def test_a_right_import_is_left_alone(root: Path, importer: str, source: str) -> None:
    assert not [text for item in imports_of(source, importer) if (text := complaint(item, root))]


@pytest.mark.parametrize(
    ("package", "path", "source"),
    [
        ("groupdir", "groupdir/data/base.py", "from groupdir.training.trainer import run_trial"),
        ("groupdir", "groupdir/files/storage.py", "from groupdir.study.store import Store"),
        ("launch", "launch/schedulers/base.py", "def f():\n    from launch.control.study_loop import StudyLoop"),
        ("launch", "launch/study/study.py", "from launch.on_ray.backend import run_trials"),
    ],
)
def test_an_import_that_runs_up_closes_a_circle(root: Path, package: str, path: str, source: str) -> None:
    names = modules(root, [package])
    importer = path.removesuffix(".py").replace("/", ".")
    items = all_imports(root, [package]) + imports_of(source, importer, names)
    assert circles(rooms(names), room_arrows(items, rooms(names)))


@pytest.mark.parametrize("package", PACKAGES)
def test_tests_mirror_the_tree(root: Path, package: str) -> None:
    """`groupdir/losses/focal.py` is tested by `tests/groupdir/losses/test_focal.py`, or `test_focal_<aspect>.py`."""
    strays = []
    for path in sorted((root / "tests" / package).rglob("test_*.py")):
        room_path = root / path.relative_to(root / "tests").parent
        subject = path.stem.removeprefix("test_")
        names = [p.stem for p in room_path.glob("*.*") if p.stem != "__init__"] + ["conformance"]
        if not any(subject == name or subject.startswith(name + "_") for name in names):
            strays.append(f"{path.relative_to(root)}: no module of {room_path.relative_to(root)}/ has this name")
    assert not strays, "\n".join(strays)


def test_only_the_registry_imports_by_a_computed_name(root: Path) -> None:
    import ast

    for name, path in modules(root).items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}:
                literal = bool(node.args) and isinstance(node.args[0], ast.Constant)
                assert literal or name in MAY_IMPORT_BY_NAME, f"{name}:{node.lineno}: imports by a computed name"
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.path":
                assert name in MAY_IMPORT_BY_NAME, f"{name}:{node.lineno}: sys.path must be left alone"


def loaded(root: Path, *arguments: str) -> set[str]:
    """Return the modules that a Python process in the checkout loads; its exit code must be 0."""
    command = [sys.executable, "-X", "importtime", *arguments]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    lines = run.stderr.splitlines()
    timed = [line for line in lines if line.startswith("import time:")]
    said = "\n".join(line for line in lines if line not in timed)
    assert run.returncode == 0, f"{' '.join(arguments)} ended with {run.returncode}:\n{said}"
    return {line.rsplit("|", 1)[1].strip() for line in timed}


def test_the_torch_free_rooms_load_nothing_heavy(root: Path) -> None:
    names = [name for name in modules(root, ["groupdir"]) if place(name) in TORCH_FREE]
    modules_loaded = loaded(root, "-c", "\n".join(f"import {name}" for name in names))
    assert "groupdir.config" in modules_loaded
    assert not modules_loaded & {"torch", "ray", "optuna", "pandas", "sklearn", "tensorboard", *HEAVY_FIGURES}


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "launch", "--help"),
        ("-m", "analysis", "--help"),
        ("-c", "import sys; from groupdir.cli import main; sys.argv[0] = 'groupdir'; main()", "--help"),
        ("-m", "groupdir", "list"),
        ("-m", "groupdir", "check", "search_spaces/digits.yaml"),
        ("-m", "groupdir", "search", "search_spaces/digits.yaml", "--dry-run"),
    ],
    ids=["launch", "analysis", "groupdir", "list", "check", "dry-run"],
)
def test_what_only_prints_loads_no_torch(root: Path, arguments: tuple[str, ...]) -> None:
    modules_loaded = loaded(root, *arguments)
    assert "typer" in modules_loaded
    assert "torch" not in modules_loaded
