"""A machine that only sends searches needs neither torch nor any other package that is not in requirements.txt."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

LIST = "launch/cluster/requirements.txt"
MODULES = {"scikit-learn": "sklearn", "pillow": "PIL", "pyyaml": "yaml"}
# What the verbs do before and after Ray's own commands.
VERBS = """
import sys
class Lacks:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"{name} is not on this machine", name=name)
sys.meta_path.insert(0, Lacks())
from pathlib import Path
from launch.__main__ import app
from launch.cluster import commands, live, jobs, tunnel
from launch.cluster.cluster_file import ClusterFile
from launch.cluster.slurm import Job, slurm_script
for file in ("cluster.yaml", "launch/cluster/on_premise.yaml"):
    cluster = ClusterFile.load(file)
    commands.still_costs(cluster)
for space in ("digits", "agedb", "baselines/table1_digits"):
    commands.check_shared(Path(f"search_spaces/{space}.yaml"), ["search.storage_path=/mnt/shared"])
slurm_script("search_spaces/digits.yaml", Job(2, 0, 8, "12:00:00"))
"""


def requirements(root: Path) -> dict[str, Requirement]:
    lines = (root / LIST).read_text(encoding="utf-8").splitlines()
    listed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {requirement.name: requirement for requirement in listed}


def declared(root: Path) -> list[Requirement]:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"]["cluster"])]


def test_the_verbs_of_a_cluster_need_what_is_listed(root: Path) -> None:
    light = requirements(root)
    blocked = {MODULES.get(each.name, each.name) for each in declared(root) if each.name not in light}
    assert {"torch", "torchvision", "scipy", "pandas", "pyarrow", "sklearn", "optuna", "matplotlib"} <= blocked
    code = VERBS.replace("BLOCKED", repr(blocked))
    env = {**os.environ, "GROUPDIR_DATA": "/data"}
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_the_bounds_are_those_of_the_project(root: Path) -> None:
    bounds = {(each.name, str(each.specifier)) for each in declared(root)}
    for name, requirement in requirements(root).items():
        assert (name, str(requirement.specifier)) in bounds, f"{LIST}: {requirement}"


def test_the_page_says_how_to_install_it(root: Path) -> None:
    page = (root / "docs/cluster.md").read_text(encoding="utf-8")
    assert f"pip install -r {LIST} -c constraints.txt" in page
    assert re.search(r"\d+ MB suffice", page)
