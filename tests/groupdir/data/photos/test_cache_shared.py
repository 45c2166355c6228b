"""Trials on one node read one file of pictures: the memory they take together does not grow with the data."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TRIALS, PICTURES, SIDE = 8, 300, 224

TRAIN = """
import sys
import torch
from groupdir.config.trial import TrialConfig
from groupdir.training.trainer import Trainer

trainer = Trainer(TrialConfig.from_dict({
    "data": {"name": "images", "root": sys.argv[1], "manifest": "rows.csv", "size": 224, "target": "y"},
    "encoder": {"name": "convnet"},
    "method": {"name": "vanilla"},
    "train": {"batch_size": 16, "device": "cpu"},
}))
stage = trainer.stages[0]
draws = trainer.epoch_trainer.draws(stage, 0)
for rows in torch.arange(len(trainer.training)).split(16):
    trainer.training.batch(rows, stage, trainer.dataset, torch.Generator(), draws)
print("read", flush=True)
sys.stdin.readline()
"""


def mapped(pid: int, name: str) -> dict[str, int]:
    """Bytes of a process's mappings of a file, by kind; `Pss` counts a page by how many processes have it."""
    found: dict[str, int] = {}
    of_file = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        key, _, rest = line.partition(":")
        if rest.endswith(" kB"):
            if of_file:
                found[key] = found.get(key, 0) + 1024 * int(rest.split()[0])
        elif "-" in line.split()[0]:
            of_file = name in line
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="memory is read from /proc/PID/smaps")
def test_eight_trials_have_the_pictures_in_memory_once(root: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["path,y,split"]
    for number in range(PICTURES):
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(tmp_path / f"{number}.jpg")
        lines.append(f"{number}.jpg,{number % 50},{'val' if number % 10 == 0 else 'train'}")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-c", TRAIN, str(tmp_path)]
    trials = [
        subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(TRIALS)
    ]
    try:
        for trial in trials:
            assert trial.stdout is not None
            assert trial.stdout.readline() == "read\n"
        files = [path for path in tmp_path.rglob("*") if path.stat().st_size > PICTURES // 2 * SIDE * SIDE * 3]
        assert len(files) == 1, "the training pictures, decoded once"
        size = files[0].stat().st_size
        memory = [mapped(trial.pid, str(files[0])) for trial in trials]
        assert all(found["Rss"] > 0.9 * size for found in memory), "each has read all of it"
        assert sum(found["Pss"] for found in memory) < 1.05 * size, "which is there once"
        assert sum(found["Private_Dirty"] + found["Anonymous"] for found in memory) == 0
    finally:
        for trial in trials:
            trial.kill()
            trial.communicate()
