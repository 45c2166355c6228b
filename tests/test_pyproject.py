"""pyproject.toml names every package that the code imports, and files that exist."""

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.imports import PACKAGES, all_imports

# Following a job of a cluster needs the extra "cluster", which brings this package.
CLUSTER_ONLY = {("launch.cluster.jobs", "aiohttp")}
# PyTorch for CUDA brings the version of Triton that it needs. Without it, the contrastive loss takes another path.
OPTIONAL = {
    ("groupdir.losses.group_contrastive_kernels", "triton"),
    ("groupdir.losses.group_contrastive_result_kernels", "triton"),
}
DEPENDENCY = re.compile(r'^ +"(?P<requirement>[^"]+)", +# (?P<comment>.+)$', re.MULTILINE)
PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*|\.?[\w-]+\.(?:py|yaml|toml|txt|md)\b|Makefile")


def named_paths(text: str) -> Iterator[tuple[str, str]]:
    """Each path that the comment of a dependency names, and the dependency."""
    for match in DEPENDENCY.finditer(text):
        for path in PATH.findall(match["comment"]):
            yield path, match["requirement"]


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return (root / "pyproject.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def project(text: str) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


def test_every_path_that_a_dependency_names_exists(text: str, root: Path) -> None:
    named = list(named_paths(text))
    assert len(named) > 30
    missing = [f"{requirement}: {path}" for path, requirement in named if not (root / path).exists()]
    assert not missing


def test_every_dependency_says_what_needs_it(text: str, project: dict[str, Any]) -> None:
    commented = {match["requirement"] for match in DEPENDENCY.finditer(text)}
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    assert not {*project["dependencies"], *extras} - commented


def test_a_path_that_is_wrong_is_seen(root: Path) -> None:
    text = '    "numpy>=1.26",  # groupdir/metrics.py (means), groupdir/no_such.py, Makefile (lint)\n'
    assert [path for path, _ in named_paths(text)] == ["groupdir/metrics.py", "groupdir/no_such.py", "Makefile"]


# Imports -------------------------------------------------------------------------------------------------------------


def test_what_runs_needs_no_tool_of_development(root: Path, project: dict[str, Any]) -> None:
    """`make quickstart` installs the dependencies alone: every import must be one of them."""
    distributions = importlib.metadata.packages_distributions()
    declared = {normal(Requirement(line).name) for line in project["dependencies"]}
    missing = []
    for item in all_imports(root):
        module = item.target.partition(".")[0]
        if module in {*PACKAGES, *sys.stdlib_module_names} or (item.importer, module) in CLUSTER_ONLY | OPTIONAL:
            continue
        if not {normal(name) for name in distributions.get(module, [])} & declared:
            missing.append(str(item))
    assert not missing, "\n".join(missing)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
