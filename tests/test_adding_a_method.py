"""docs/adding_a_method.md, followed to the letter: its files are written, its commands run, one after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"`(groupdir/[\w./]+|tests/[\w./]+|search_spaces/[\w./]+)`")


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs/adding_a_method.md").read_text(encoding="utf-8")


def blocks(page: str) -> dict[str, str]:
    found = [(match["language"], match["text"]) for match in BLOCK.finditer(page)]
    assert [language for language, _ in found] == ["python", "yaml", "bash"]
    return dict(found)


def written(page: str, folder: Path) -> Path:
    """The package and the space of the page, in a folder."""
    parts = blocks(page)
    (folder / "my_pkg").mkdir()
    (folder / "my_pkg/__init__.py").touch()
    (folder / "my_pkg/mod.py").write_text(parts["python"], encoding="utf-8")
    (folder / "my_space.yaml").write_text(parts["yaml"], encoding="utf-8")
    return folder


def run(script: str, folder: Path, root: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "GROUPDIR": str(root), "PATH": path, "PYTHONPATH": ""}
    command = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_what_it_names_is_there(page: str, root: Path) -> None:
    named = [path for path in PATH.findall(page) if "<" not in path]
    assert len(named) >= 5
    assert not [path for path in named if not (root / path).exists()]


def test_its_class_is_a_method(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It builds, learns, and takes the parts that the page promises."""
    from groupdir.training.trainer import run_trial
    from tests.groupdir.methods.cases import LDS, SMOOTHING, trial

    monkeypatch.syspath_prepend(written(page, tmp_path))
    section = {"name": "my_pkg.mod:MyMethod", "weights": LDS, "smoothing": SMOOTHING, "pretrain": {"epochs": 3}}
    for method in ({"name": "my_pkg.mod:MyMethod"}, {**section, "regularizer": {"name": "ranksim", "factor": 1}}):
        results = list(run_trial(trial(method, train__epochs=15)))
        assert results[-1].metrics["val_mae_all"] < 2.0  # the mean predictor's is 2.9
    sys.modules.pop("my_pkg.mod", None)
    sys.modules.pop("my_pkg", None)


@pytest.mark.long
@pytest.mark.timeout(420)
def test_its_commands_run(page: str, root: Path, tmp_path: Path) -> None:
    folder = written(page, tmp_path)
    done = run(blocks(page)["bash"], folder, root)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert yaml.safe_load((folder / "results/my_space/best_few.yaml").read_text())["method"]["name"] == (
        "my_pkg.mod:MyMethod"
    )
    assert "mean and standard deviation over 2 seeds" in done.stdout
