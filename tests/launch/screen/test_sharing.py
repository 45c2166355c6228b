"""What sharing saves, said before a search and true of it afterwards."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from groupdir.config.space import StudyConfig
from launch.screen.sharing import sharing_text

STUDY: dict[str, Any] = {
    "name": "shared",
    "data": {"name": "digits", "train": 200, "val_per_label": 1},
    "encoder": {"name": "convnet", "widths": [8, 8]},
    "method": {
        "name": "group_dir",
        "groups": {"choice": [4, 8]},
        "similarity": "cosine",
        "temperature": {"choice": [0.5, 1.0]},
        "lambda_soft": {"log_uniform": [0.2, 5]},
        "beta": {"log_uniform": [0.25, 4]},
        "pretrain": {"epochs": 3, "views": 2},
    },
    "train": {"epochs": 2, "batch_size": 64},
    "search": {
        "objectives": {"val_mae_all": "min"},
        "trials": 24,
        "sampler": {"name": "qmc"},
        "scheduler": {"name": "none"},
    },
}


def test_the_saving_is_said_before(tmp_path: Path) -> None:
    config = StudyConfig.from_dict(STUDY)
    text = "first stages: 4 distinct for 24 trials: 12 epochs, 6.0 times fewer than the 72 without sharing"
    assert sharing_text(config) == text
    joint = {**STUDY, "method": {**STUDY["method"], "recipe": "joint", "pretrain": None}}
    assert sharing_text(StudyConfig.from_dict(joint)) == ""
    alone = {**STUDY, "search": {**STUDY["search"], "share_stages": False}}
    assert sharing_text(StudyConfig.from_dict(alone)) == "first stages: each trial trains its own (share_stages: false)"


def test_where_lengths_differ_the_longest_serves_all(tmp_path: Path) -> None:
    method = {**STUDY["method"], "pretrain": {"epochs": {"choice": [1, 2, 5]}, "views": 2}, "groups": 4}
    text = sharing_text(StudyConfig.from_dict({**STUDY, "method": method}))
    assert text.startswith("first stages: 2 distinct for 24 trials: 10 epochs, ")


def run(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "launch", *arguments]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def rows(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / "epochs.parquet").to_pylist()
    return found


def fits(folder: Path) -> dict[tuple[int, int], str]:
    """(trial, epoch) of the last stage -> its metrics."""
    names = [name for name in rows(folder)[0] if name.startswith(("train_", "val_"))]
    return {
        (row["trial"], row["epoch"]): repr([row[name] for name in names])
        for row in rows(folder)
        if row["stage"] == "fit"
    }


@pytest.mark.long
@pytest.mark.timeout(600)
def test_twenty_four_trials_train_four_and_find_what_they_would_have_alone(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "shared.yaml"
    file.write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    together, alone = tmp_path / "together", tmp_path / "alone"
    for folder, options in ((together, []), (alone, ["--set", "search.share_stages=false"])):
        done = run(root, "search", str(file), "--out", str(folder), *options)
        output = done.communicate(timeout=280)[0]
        assert done.returncode == 0, output.decode()
    assert fits(together) == fits(alone)
    assert len(fits(together)) == 48
    trained = [(row["trial"], row["epoch"]) for row in rows(together) if row["stage"] == "pretrain"]
    assert len({trial for trial, _ in trained}) == 4
    assert len(trained) == 12
    assert sum(row["stage"] == "pretrain" for row in rows(alone)) == 72


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_killed_search_goes_on_with_the_stages_that_are_there(root: Path, tmp_path: Path) -> None:
    content = {**STUDY, "search": {**STUDY["search"], "trials": 8}}
    file, folder = tmp_path / "shared.yaml", tmp_path / "study"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    first = run(root, "search", str(file), "--out", str(folder))
    end = time.monotonic() + 120
    while not list(folder.glob("stages/*/owner.json")):
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGKILL)  # the driver, and with it Ray and those that train
    first.communicate()
    second = run(root, "resume", str(folder))
    output = second.communicate(timeout=200)[0]
    assert second.returncode == 0, output.decode()
    assert len(fits(folder)) == 16
    stages = [path for path in folder.glob("stages/*") if path.is_dir()]  # beside them is the list of given-up attempts
    assert len(list(folder.glob("stages/*/epoch-00003.pt"))) == len(stages) <= 4
