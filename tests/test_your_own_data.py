"""docs/your_own_data.md, followed to the letter: its files are written, its commands run, one after the other."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from groupdir.commands.label_counts import count_labels
from groupdir.config.space import load_space
from groupdir.training.trainer import Trainer, run_trial

BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def blocks(root: Path) -> list[str]:
    page = (root / "docs/your_own_data.md").read_text(encoding="utf-8")
    found = list(BLOCK.finditer(page))
    assert [match["language"] for match in found] == ["python", "yaml", "bash", "text", "yaml", "yaml", "bash"]
    return [match["text"] for match in found]


@pytest.fixture
def folder(blocks: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a person follows the page, after its script ran."""
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-c", blocks[0]], check=True)
    (tmp_path / "my_table.yaml").write_text(blocks[1], encoding="utf-8")
    return tmp_path


def test_the_table_can_be_searched(folder: Path) -> None:
    study = load_space(folder / "my_table.yaml")
    counts = count_labels(folder / "my_table.yaml")
    assert sum(map(len, counts.labels.values())) == 442
    assert (folder / "my_data/patients.split.csv").exists()
    bins, samples = counts.bins()
    codes = counts.shot_of(bins)
    assert all(samples["val"][codes == code].sum() > 0 for code in (0, 2))  # the objectives' shots
    config = study.space.build(next(iter(study.space.corners()))).replaced({"train.epochs": 8})
    trainer = Trainer(config)
    assert trainer.dataset.inputs.shape == (9 + 3,)  # sex: two values, and another
    errors = [epoch.metrics["val_mae_all"] for epoch in trainer.epochs()]
    assert min(errors) < errors[0]


def test_the_pictures_can_be_searched(blocks: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_faces").mkdir()
    rows = blocks[3].split()
    rows += [f"carl/{10 * k + age}.jpg,{age}" for k in range(3) for age in range(31, 34)]
    (tmp_path / "my_faces/faces.csv").write_text("\n".join(rows), encoding="utf-8")
    for row in rows[1:]:
        file = tmp_path / "my_faces" / row.split(",")[0]
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 30)).save(file)
    (tmp_path / "my_faces.yaml").write_text(blocks[4], encoding="utf-8")
    study = load_space(tmp_path / "my_faces.yaml")
    small = {"data.size": 48, "method.pretrain.epochs": 1, "train.epochs": 1, "train.batch_size": 8}
    config = study.space.build(next(iter(study.space.corners()))).replaced(small)
    assert [epoch.stage for epoch in run_trial(config)] == ["pretrain", "fit"]
    assert count_labels(tmp_path / "my_faces.yaml").targets.high == 100


@pytest.mark.long
@pytest.mark.timeout(420)
def test_its_commands_run(blocks: list[str], folder: Path, root: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "GROUPDIR": str(root), "PATH": path, "PYTHONPATH": ""}
    command = ["bash", "-euo", "pipefail", "-c", blocks[2]]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (folder / "results/my_table/report.html").exists()
    assert (folder / "labels.png").exists()
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 442
