"""CONTRIBUTING.md: its three plug-ins train, stop and search as the page says, and the paths that it names exist."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from groupdir.config.search import SearchConfig
from groupdir.config.space import load_space
from groupdir.training.trainer import run_trial
from tests.checkout import ROOT
from tests.groupdir.methods.cases import JOINT, trial

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILE = re.compile(r"^`(?P<name>my_\w+\.(?:py|yaml))`[^\n]*\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```bash\n(?P<text>export PYTHONPATH.*?)^```$", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"`((?:groupdir|launch|analysis|tests|docs|search_spaces)/[\w./]*)`")
TARGET = re.compile(r"`((?:groupdir|launch)(?:\.\w+)+):(\w+)`")
NAMES = ("my_loss", "my_group_loss", "my_scheduler")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the files of the page, on the Python path."""
    for file in FILE.finditer(PAGE):
        (tmp_path / file["name"]).write_text(file["text"], encoding="utf-8")
    assert {path.stem for path in tmp_path.iterdir()} == {*NAMES, "my_space"}
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "method",
    [
        {"name": "vanilla", "loss": {"name": "my_loss:LogCosh", "sharpness": 2}},
        {**JOINT, "group_loss": "my_group_loss:EarthMover"},
        {**JOINT, "group_loss": {"name": "my_group_loss:EarthMover", "power": 1}},
    ],
)
def test_its_losses_learn(folder: Path, method: dict[str, object]) -> None:
    results = list(run_trial(trial(method, train__epochs=15)))
    assert results[-1].metrics["val_mae_all"] < 2.0  # the mean predictor's is 2.9


def test_its_scheduler_stops_below_the_median(folder: Path) -> None:
    from launch.schedulers import make_scheduler

    search = SearchConfig.model_validate({"scheduler": {"name": "my_scheduler:BelowMedian", "epoch": 2}})
    scheduler = make_scheduler(search)
    assert list(scheduler.rung_epochs(10)) == [2]
    rows = [(0, 2, 3.0), (1, 1, 9.0), (1, 2, 4.0), (2, 2, 3.5), (3, 2, float("nan")), (1, 2, 1.0)]
    actions = [scheduler.decide(trial, epoch, {"val_mae_all": value}).action for trial, epoch, value in rows]
    assert actions == ["continue", "continue", "stop", "continue", "stop", "stop"]


def test_its_space_is_valid(folder: Path) -> None:
    space = load_space(folder / "my_space.yaml").space
    assert {space.build(corner).method.name for corner in space.corners()} == {"vanilla", "group_dir"}


@pytest.mark.long
@pytest.mark.timeout(420)
def test_its_commands_run(folder: Path) -> None:
    commands = COMMANDS.search(PAGE)
    assert commands is not None
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-euo", "pipefail", "-c", commands["text"]]
    environment = {**os.environ, "PATH": path, "PYTHONPATH": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (folder / "results/my_space/trials.parquet").is_file()


def test_what_it_names_exists(root: Path) -> None:
    paths = PATH.findall(PAGE)
    assert len(paths) > 25
    assert not [path for path in paths if not (root / path).exists()]
    targets = TARGET.findall(PAGE)
    assert len(targets) >= 24
    missing = [
        f"{module}:{name}"
        for module, name in targets
        if not re.search(
            rf"^class {name}\b", (root / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert not missing
    tables = set(re.findall(r"\| `([A-Z_]+)` \|$", PAGE, re.MULTILINE))
    registry = (root / "groupdir/registry.py").read_text(encoding="utf-8")
    assert len(tables) == 12
    assert not [table for table in tables if not re.search(rf"^{table} = ", registry, re.MULTILINE)]
