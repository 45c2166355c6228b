"""A search through the installed command: from any folder, into a folder with a blank, without `launch` on any path."""

import json
import os
import random
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import ROOT

pytestmark = pytest.mark.slow

SPACE = """
name: my study
data: {name: table, root: ., manifest: s.csv, target: y}
encoder: {name: mlp, widths: [8]}
method: {name: vanilla}
optim: {lr: {log_uniform: [0.001, 0.01]}}
train: {epochs: 1}
search: {objectives: {val_mae_all: min, val_gm_all: min}, trials: 2, concurrency: 1, resources: {cpu: 1, gpu: 0}}
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, its space, and `site/`, which holds groupdir alone, as an editable install offers it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    draw = random.Random(8)
    rows = [f"{draw.gauss(0, 1):.4f},{i % 10},{('train', 'val', 'test')[i // 10 % 3]}" for i in range(300)]
    (folder / "s.csv").write_text("a,y,split\n" + "\n".join(rows), encoding="utf-8")
    (folder / "s.yaml").write_text(SPACE, encoding="utf-8")
    (folder / "site").mkdir()
    (folder / "site/groupdir").symlink_to(ROOT / "groupdir")
    return folder


def groupdir(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(cwd / "site")}
    command = [sys.executable, "-m", "groupdir", *words]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def searched(elsewhere: Path) -> str:
    """What a quiet search prints."""
    return groupdir("search", "s.yaml", "--out", "results/my study", "--quiet", cwd=elsewhere).stdout


def test_a_quiet_search_prints_its_result_alone(searched: str) -> None:
    assert "2 finished" in searched
    assert "trial 0 finished at" not in searched
    assert "start of my study" not in searched


def test_the_printed_command_can_be_pasted(searched: str, elsewhere: Path) -> None:
    words = shlex.split(searched.splitlines()[-1])
    assert words == ["groupdir", "select", "results/my study", "--shot", "all"]  # 100 rows have no few-shot label
    content = json.loads(groupdir(*words[1:], "--json", cwd=elsewhere).stdout)
    assert content["file"] == "results/my study/best_all.yaml"
    assert (elsewhere / content["file"]).is_file()
    assert content["trial"] in {trial["trial"] for trial in content["front"]}
    assert {"trial", "status", "epoch", "seed", "metrics", "estimates", "parameters"} <= set(content["front"][0])
    assert shlex.split(content["next"])[:3] == ["groupdir", "train", content["file"]]


def test_the_status_is_json(searched: str, elsewhere: Path) -> None:
    assert searched
    content = json.loads(groupdir("status", "--json", cwd=elsewhere).stdout)
    (study,) = content["studies"]
    assert (study["study"], study["finished"], study["trials"], study["active"]) == ("my study", 2, 2, False)
    assert study["best"]["val_mae_all"]["value"] > 0
    assert content["broken"] == []
