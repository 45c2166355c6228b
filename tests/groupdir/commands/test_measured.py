"""The printed tables: labels, differences with intervals, the line of the ledger, and predictions that do not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groupdir.commands.measured import report
from groupdir.commands.plans import Plan
from groupdir.commands.rerun import Run
from groupdir.config.trial import TrialConfig
from groupdir.errors import DataError
from groupdir.files.ledger import Ledger, Reading
from groupdir.files.predictions import SavedPredictions
from groupdir.metrics import ShotSplit, shot_metrics

CONTENT = {"data": {"name": "digits"}, "encoder": {"name": "convnet"}, "method": {"name": "vanilla"}}
TARGET = (np.arange(60) % 20).astype(np.float32)
SHOTS = ShotSplit.fixed(many=range(10), median=range(10, 20), bin_width=1.0, high=None)  # no sample is few-shot


def measured(folder: Path, label: str, errors: list[float], target: np.ndarray = TARGET, lr: float = 0.1) -> Any:
    """Return a plan and a run for each seed; every prediction of a seed has the same error."""
    config = TrialConfig.from_dict({**CONTENT, "optim": {"lr": lr}})
    runs = []
    for seed, error in enumerate(errors):
        path = folder / f"{label}_{seed}.parquet"
        saved = SavedPredictions(
            config=config.to_dict(),
            configuration=config.digest_without_seed,
            samples=str(len(target)),
            shots=SHOTS,
            split="test",
            seed=seed,
            target=target,
            prediction=target + np.float64(error),
        )
        saved.write(path)
        metrics = {f"test_{name}": value for name, value in shot_metrics(saved.prediction, target, SHOTS).items()}
        runs.append(Run(label, seed, 3, metrics, path))
        Ledger.of(None, folder).record(Reading.now("digits", saved.samples, saved.configuration, seed, label, "test"))
    return Plan(label, config, tuned=label != "plain"), runs


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.usefixtures("wide")
def test_the_difference_of_each_to_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    items = [measured(folder, "mine", [1, 2, 3]), measured(folder, "plain", [1.5, 2.5, 3.5], lr=0.2)]
    report([plan for plan, _ in items], [run for _, runs in items for run in runs], folder)
    text = capsys.readouterr().out
    lines = [" ".join(line.replace("│", " ").split()) for line in text.splitlines()]
    assert "mae_all 2.000 ± 1.000 2.500 ± 1.000" in lines
    assert "mae_all +0.500 [+0.500, +0.500]" in lines, "the seeds are paired, so their spread cancels"
    assert "mae_few no samples" in lines
    assert "plain (untuned)" in text
    assert "95 % intervals of 400 paired draws" in text
    assert any(line.startswith("test split of digits: read by 2 configurations, first on 20") for line in lines)


@pytest.mark.usefixtures("wide")
def test_undefined_values_and_a_single_seed_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (first, [run]), (second, [other]) = measured(folder, "mine", [1]), measured(folder, "other", [np.nan], lr=0.2)
    report([first, second], [run, other], folder)
    text = capsys.readouterr().out
    assert "not finite" in text
    assert "one seed: the intervals leave out" in " ".join(text.split())


def test_predictions_of_different_samples_are_refused(tmp_path: Path) -> None:
    (first, runs), (second, others) = measured(tmp_path, "mine", [1]), measured(tmp_path, "other", [1], TARGET[:40])
    with pytest.raises(DataError, match=r"mine and other have different samples of digits \(60 and 40 of them"):
        report([first, second], runs + others, tmp_path)
