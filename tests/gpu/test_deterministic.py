"""Deterministic mode: every plug-in trains in it, twice the same and resumed the same, bit for bit."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from groupdir.config.trial import TrialConfig
from groupdir.training.trainer import Trainer
from tests.checkout import ROOT
from tests.gpu.devices import each_device
from tests.groupdir.methods.cases import CASES, case_trial

PICTURES = {
    "digits-vae": {"name": "vae"},
    "digits-vir": {"name": "vir", "smoothing": {"size": 3, "sigma": 1}},
    "digits-group_dir": {"name": "group_dir", "groups": 5, "recipe": "joint", "views": 2, "temperature": 2.0},
}
TRIALS = {case: case_trial(case) for case in CASES} | {
    name: TrialConfig.from_dict(
        {
            "data": {"name": "digits", "train": 100, "val_per_label": 1},
            "encoder": {"name": "convnet", "widths": [8, 16]},
            "method": method,
            "train": {"epochs": 3, "batch_size": 32},
        }
    )
    for name, method in PICTURES.items()
}
FEW = ["method-vanilla", "method-group_dir", "two_stage", "digits-group_dir"]
WORKSPACE = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
"""Setting that makes the products of cuBLAS deterministic. It must stand before CUDA starts."""


def rows(config: TrialConfig, device: str, folder: Path) -> list[list[str]]:
    """Return the metrics of every epoch of two trainings, and of one that is resumed after two epochs."""
    found = []
    for _ in range(2):
        trainer = Trainer(config, device=torch.device(device))
        found.append([repr(result.metrics) for result in trainer.epochs()])
    trainer, parts = Trainer(config, device=torch.device(device)), []
    for result in trainer.epochs():
        parts.append(repr(result.metrics))
        if result.epoch == 2:
            break
    trainer.save(folder / "trial.pt")
    after = Trainer(config, device=torch.device(device))
    after.load(folder / "trial.pt")
    return [*found, parts + [repr(result.metrics) for result in after.epochs()]]


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def complaints(cases: list[str], device: str, folder: Path) -> dict[str, str]:
    """Return the cases that do not train in deterministic mode, or not twice the same, with what is wrong."""
    wrong = {}
    for case in cases:
        try:
            first, second, again = rows(TRIALS[case], device, folder)
        except RuntimeError as error:  # torch names the operation that has no deterministic version
            wrong[case] = str(error).splitlines()[0]
            continue
        if first != second:
            wrong[case] = "two trainings differ"
        elif again != first:
            wrong[case] = "the resumed training differs"
    return wrong


@each_device
def test_every_plug_in_trains_twice_the_same(device: str, tmp_path: Path) -> None:
    """On a card in a process of its own, because CUDA reads the workspace's setting once, when it starts."""
    if device == "cpu":
        with deterministic():
            assert complaints(FEW, device, tmp_path) == {}
        return
    command = [sys.executable, "-m", "tests.gpu.test_deterministic", device, str(tmp_path)]
    run = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **WORKSPACE}, capture_output=True, text=True, timeout=200, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert json.loads(run.stdout.splitlines()[-1]) == {}


if __name__ == "__main__":
    with deterministic():
        print(json.dumps(complaints(list(TRIALS), sys.argv[1], Path(sys.argv[2]))))
