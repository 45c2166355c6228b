"""What is asked of every plug-in that is trained; the registry's tables say which there are."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from groupdir.config.file_kind import is_benchmark
from groupdir.config.space import load_space
from groupdir.config.trial import TrialConfig
from groupdir.config.yamlfile import Document
from groupdir.errors import ConfigError
from groupdir.part import Part
from groupdir.registry import TABLES
from groupdir.training.checkpoint import load_checkpoint
from groupdir.training.evaluate import predict
from groupdir.training.resampled import resampled
from groupdir.training.trainer import Trainer, make_dataset, run_trial
from tests.checkout import ROOT
from tests.groupdir.methods.cases import CASES, METHOD_CASES, PLACES, case_trial, trial
from tests.plugins import SUITES

every_case = pytest.mark.parametrize("case", CASES)
# The methods in every run; their parts, which go through the same code of theirs, with -m slow.
every_method = pytest.mark.parametrize(
    "case", [case if case in METHOD_CASES else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
MEAN_PREDICTOR = 2.9  # its error on the toy data's validation samples


def training_error(trainer: Trainer) -> tuple[float, float]:
    """Mean absolute error on the training samples, and that of their median."""
    y = trainer.training.y.numpy()
    found = predict(trainer.method, trainer.training.inputs, 256)
    return float(np.abs(found.value - y).mean()), float(np.abs(y - np.median(y)).mean())


def steps(config: TrialConfig) -> list[dict[str, float]]:
    return [result.metrics for result in run_trial(config)]


def test_every_plug_in_that_is_trained_has_a_case() -> None:
    here = "tests/groupdir/methods/test_conformance.py"
    kinds = {kind for kind, suite in SUITES.items() if suite == here}
    assert kinds == set(PLACES)
    assert {f"{kind}-{name}" for kind in kinds for name in TABLES[kind]} <= set(CASES)


@every_method
def test_ten_steps_lower_its_loss(case: str) -> None:
    """On one batch, in the last stage, in the mean over seeds: random views and codes make single steps noisy."""
    config = case_trial(case, data__size=32, optim__lr=0.003, train__epochs=12)
    losses = []
    for seed in range(3):
        trainer = Trainer(config.replaced({"seed": seed}))
        fit = [result.metrics["train_loss"] for result in trainer.epochs() if result.stage == "fit"]
        third = len(fit) // 3 if case == "group_loss-do" else len(fit)  # its objective changes by thirds
        losses.append(fit[:third])
    mean = np.mean(losses, axis=0)
    assert mean[-1] < mean[0], mean


@every_method
def test_its_configuration_says_whether_it_predicts_groups(case: str) -> None:
    """A search for a metric of groups is refused by the configuration alone, before anything is built."""
    config = case_trial(case)
    assert ("val_group_accuracy" in steps(config)[-1]) == config.method.has_groups


@every_case
def test_state_dict_round_trip_and_resume(case: str, tmp_path: Path) -> None:
    config = case_trial(case, encoder__dropout=0.2)
    total = Trainer(config).total_epochs
    stop = random.Random(case).randint(1, total - 1)
    whole, path = [], tmp_path / "trial.pt"
    for result in run_trial(config):
        whole.append(repr(result.metrics))
        if result.epoch == stop:
            result.save(path)
    assert [repr(result.metrics) for result in run_trial(config, resume=path)] == whole[stop:]
    trainer, content = Trainer(config), load_checkpoint(path)
    trainer.method.load_state_dict(content["model"])
    for name, tensor in trainer.method.state_dict().items():
        assert torch.equal(tensor, content["model"][name]), name


@every_case
def test_a_dry_step_leaves_no_trace(case: str) -> None:
    config = case_trial(case, encoder__dropout=0.2, train__epochs=2)
    tried = Trainer(config)
    tried.dry_step()
    untouched = Trainer(config)
    for name, tensor in untouched.method.state_dict().items():
        assert torch.equal(tensor, tried.method.state_dict()[name]), name
    rows = [[repr(result.metrics) for result in trainer.epochs()] for trainer in (tried, untouched)]
    assert rows[0] == rows[1]


@every_case
@pytest.mark.parametrize("size", [1, 2])
def test_batches_of_one_and_two(case: str, size: int) -> None:
    config = case_trial(case, train__batch_size=size, train__epochs=2)
    results = steps(config.replaced({"data.size": 13}))
    assert all(np.isfinite(row["train_loss"]) for row in results)
    assert np.isfinite(results[-1]["val_mae_all"])


@every_method
def test_all_labels_equal(case: str) -> None:
    config = case_trial(case, data__only=2)
    if config.method.resampling is not None:
        with pytest.raises(ConfigError, match=r"method\.resampling: some targets must be rare"):
            steps(config)
        return
    results = steps(config.replaced({"train.epochs": 10}))
    assert np.isfinite(results[-1]["train_loss"])
    assert np.isfinite(results[-1]["val_mae_all"])


@every_method
def test_a_label_never_seen_in_training(case: str) -> None:
    """Predictions of its samples are finite; the middle of the range is missing, so that a group or a bin is empty."""
    results = steps(case_trial(case, data__without=3, train__epochs=10))
    assert results[-1]["val_mae_all"] < MEAN_PREDICTOR


@every_method
def test_bf16_autocast(case: str) -> None:
    exact = steps(case_trial(case, train__epochs=1))[-1]["train_loss"]
    rough = steps(case_trial(case, train__epochs=1, train__amp="bf16"))[-1]["train_loss"]
    assert rough == pytest.approx(exact, rel=0.05, abs=0.02)


@every_method
def test_same_seed_same_rows_and_another_seed_others(case: str) -> None:
    rows = [[repr(row) for row in steps(case_trial(case, train__epochs=2, seed=seed))] for seed in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]


@pytest.mark.slow
@every_case
def test_overfits_32_samples(case: str) -> None:
    config = case_trial(case, data__size=32, train__epochs=150, train__keep="last", encoder__widths=[64])
    trainer = Trainer(config)
    for _ in trainer.epochs():
        pass
    error, median = training_error(trainer)
    # Smoothing calibrates features in training and not at inference, so that it cannot fit the samples themselves.
    share = 0.5 if any(part.observes for part in trainer.method.modules() if isinstance(part, Part)) else 0.25
    assert error < share * median, (error, median)


@pytest.mark.slow
@every_case
def test_beats_the_mean_predictor_on_digits_in_three_epochs(case: str) -> None:
    method = dict(CASES[case]["method"])
    if "pretrain" in method:
        method["pretrain"] = {**method["pretrain"], "epochs": 2}
    if case == "group_loss-rebat":
        method["group_loss"] = {"name": "rebat", "start": 0, "decay": 0.8}
    config = TrialConfig.from_dict(
        {
            "data": {"name": "digits", "train": 1200, "val_per_label": 2},
            "encoder": {"name": "convnet"},
            "method": method,
            "optim": {"lr": 0.003, **CASES[case].get("optim", {})},
            "train": {"epochs": 3, "batch_size": 32},
        }
    )
    trainer = Trainer(config)
    y, mean = trainer.dataset.split("val").y, float(trainer.dataset.split("train").y.mean())
    best = min(result.metrics["val_mae_all"] for result in trainer.epochs() if result.stage == "fit")
    assert best < float(np.abs(y - mean).mean()), best


def presets() -> list[Path]:
    paths = sorted((ROOT / "search_spaces/baselines").glob("*.yaml"))
    return [path for path in paths if not is_benchmark(Document.read(path))]


@pytest.mark.parametrize("path", presets(), ids=lambda path: path.stem)
def test_every_preset_builds_at_the_ends_of_its_ranges(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods are built for the toy data at both ends of every parameter, so no constructor refuses a trial."""
    monkeypatch.setenv("GROUPDIR_DATA", "/nowhere")
    space = load_space(path).space
    first = next(space.corners())
    drawn: list[dict[str, Any]] = [first]
    for name, domain in space.parameters.items():
        drawn += [space.suggest(lambda other, d, n=name, e=end: e if other == n else d.ends[0]) for end in domain.ends]  # type: ignore[misc]
    digits = make_dataset(TrialConfig.load(ROOT / "search_spaces/one_trial.yaml"))
    for params in drawn:
        content = space.content(params)["method"]
        if content.get("resampling") is not None:  # which labels are rare is the data set's, not the toy's
            config = TrialConfig.model_validate(space.content(params)).method.resampling
            assert config is not None
            assert len(resampled(digits.split("train"), digits, config, 0)) > 0
        Trainer(trial({**content, "resampling": None}, encoder__widths=[64]))
