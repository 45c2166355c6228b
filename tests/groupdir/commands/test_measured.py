"""The printed tables: labels, differences with intervals, the line of the ledger, and predictions that do not fit."""

import shutil
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groupdir.bootstrap.difference import Difference
from groupdir.commands.measured import difference_text, report
from groupdir.commands.plans import Plan
from groupdir.commands.rerun import Run
from groupdir.config.trial import TrialConfig
from groupdir.errors import DataError
from groupdir.files.ledger import Ledger, Reading
from groupdir.files.predictions import SavedPredictions, read_predictions
from groupdir.metrics import ShotSplit, shot_metrics

CONTENT = {"data": {"name": "digits"}, "encoder": {"name": "convnet"}, "method": {"name": "vanilla"}}
TARGET = (np.arange(60) % 20).astype(np.float32)
SHOTS = ShotSplit.fixed(many=range(10), median=range(10, 20), bin_width=1.0, high=None)  # no sample is few-shot


def measured(
    folder: Path, label: str, errors: Sequence[float | np.ndarray], target: np.ndarray = TARGET, lr: float = 0.1
) -> Any:
    """Return a plan and a run for each seed; `errors` are those of its predictions."""
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
            prediction=target + np.asarray(error, dtype=np.float64),
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
    assert lines.count("mae_few - -") == 1, "no test sample is few-shot, so there is neither a mean"
    assert lines.count("mae_few -") == 1, "nor a difference"
    assert "plain (untuned)" in text
    assert "95 % intervals over samples and seeds; 10,000 paired draws" in " ".join(text.split())
    assert any(line.startswith("test split of digits: read by 2 configurations, first on 20") for line in lines)


@pytest.mark.usefixtures("wide")
def test_undefined_values_and_a_single_seed_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (first, [run]), (second, [other]) = measured(folder, "mine", [1]), measured(folder, "other", [np.nan], lr=0.2)
    report([first, second], [run, other], folder)
    text = " ".join(capsys.readouterr().out.split())
    assert "not finite" in text
    assert "intervals over samples only: with one seed, they leave out the spread between trainings" in " ".join(
        text.split()
    )


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells of each line of the first table."""
    table = text.split("difference to", maxsplit=1)[0].replace("┃", "│").splitlines()
    cells = [[cell.strip() for cell in line.strip(" │").split("│")] for line in table if "│" in line]
    return {name: values for name, *values in cells}


@pytest.mark.usefixtures("wide")
def test_every_printed_value_follows_from_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Predictions with noise of the seed, written and read again: the same digits as in the table."""
    rng = np.random.default_rng(0)
    plan, runs = measured(tmp_path, "mine", [rng.normal(size=len(TARGET)) for _ in range(3)])
    other, others = measured(tmp_path, "other", [rng.normal(size=len(TARGET)) for _ in range(3)], lr=0.2)
    report([plan, other], runs + others, tmp_path)
    printed = rows(capsys.readouterr().out)
    for column, of_plan in enumerate([runs, others]):
        saved = [read_predictions(run.predictions) for run in of_plan]
        values = [shot_metrics(each.prediction, each.target, each.shots) for each in saved]
        assert printed.keys() - {"metric"} == values[0].keys()
        for name in values[0]:
            found = [each[name] for each in values]
            expected = "-" if np.isnan(found).any() else f"{statistics.mean(found):.3f} ± {statistics.stdev(found):.3f}"
            assert printed[name][column] == expected


def test_the_digits_of_an_interval_follow_from_its_width() -> None:
    def text(low: float, high: float) -> str:
        return difference_text(Difference(0.1234, low, high, 0.5))

    assert text(0.1201, 0.1299) == "+0.123 [+0.120, +0.130]"
    assert text(-0.1201, 0.3001) == "+0.123 [-0.12, +0.30]"
    assert text(-3.01, 4.01) == "+0.123 [-3.0, +4.0]"
    assert text(-300.4, 400.4) == "+0.123 [-300, +400]"
    assert text(np.nan, np.nan) == "+0.123 [-, -]"
    assert difference_text(None) == difference_text(Difference(np.nan, np.nan, np.nan, np.nan)) == "-"


def test_a_file_that_belongs_to_another_training_is_refused(tmp_path: Path) -> None:
    (first, runs), (second, others) = measured(tmp_path, "mine", [1, 2]), measured(tmp_path, "other", [1, 2], lr=0.2)
    shutil.copy(others[1].predictions, runs[1].predictions)
    with pytest.raises(DataError, match=r"mine_1.parquet: must hold the predictions of configuration \w+ with seed 1"):
        report([first, second], runs + others, tmp_path)
    shutil.copy(runs[0].predictions, runs[1].predictions)
    with pytest.raises(DataError, match=r"got configuration \w+ with seed 0: delete the file and continue with"):
        report([first, second], runs + others, tmp_path)


@pytest.mark.parametrize(("error", "says"), [(np.nan, "nan"), (1.5, "1.5")])
def test_a_file_that_does_not_give_the_metrics_is_refused(tmp_path: Path, error: float, says: str) -> None:
    plan, [run] = measured(tmp_path, "mine", [1])
    saved = read_predictions(run.predictions)
    replace(saved, prediction=saved.target + np.float64(error)).write(run.predictions)
    with pytest.raises(DataError, match=rf"mine_0\.parquet: must give .*, but mae_all is {says} instead of 1: delete"):
        report([plan], [run], tmp_path)


@pytest.mark.parametrize("content", [b"", b"no parquet", b"PAR1"])
def test_a_file_that_holds_no_predictions_is_refused(tmp_path: Path, content: bytes) -> None:
    plan, runs = measured(tmp_path, "mine", [1])
    runs[0].predictions.write_bytes(content)
    with pytest.raises(DataError, match=r"mine_0\.parquet: "):
        report([plan], runs, tmp_path)


def test_other_seeds_are_refused(tmp_path: Path) -> None:
    (first, runs), (second, others) = measured(tmp_path, "mine", [1, 2, 3]), measured(tmp_path, "other", [1], lr=0.2)
    with pytest.raises(DataError, match=r"the same seeds, but mine has 0, 1, 2 and other has 0: train both again"):
        report([first, second], runs + others, tmp_path)


def test_predictions_of_different_samples_are_refused(tmp_path: Path) -> None:
    (first, runs), (second, others) = measured(tmp_path, "mine", [1]), measured(tmp_path, "other", [1], TARGET[:40])
    with pytest.raises(DataError, match=r"mine and other have different samples of digits \(60 and 40 of them"):
        report([first, second], runs + others, tmp_path)
