"""The last lines of `groupdir train`: what was measured, whether a difference is shown, and the next commands."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groupdir.bootstrap.hierarchical import resample
from groupdir.bootstrap.verdict import ONE_SEED
from groupdir.commands.measured import report
from groupdir.commands.plans import Plan
from groupdir.commands.rerun import Run
from groupdir.commands.verdict import UNCOMPARED, next_lines, verdict_lines
from groupdir.config.trial import TrialConfig
from groupdir.metrics import METRICS
from tests.groupdir.commands.test_measured import CONTENT, TARGET, measured

RNG = np.random.default_rng(2)


def plan(label: str, tuned: bool = True) -> Plan:
    return Plan(label, TrialConfig.from_dict(CONTENT), tuned)


def last_lines(
    items: Sequence[tuple[Plan, list[Run]]], folder: Path, capsys: pytest.CaptureFixture[str], **options: Any
) -> list[str]:
    """Return the lines that `report` prints below its tables."""
    report([plan for plan, _ in items], [run for _, runs in items for run in runs], folder, **options)
    return capsys.readouterr().out.rpartition("\n\n")[2].splitlines()


def test_one_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The errors are 1, 2 and 3 on every sample, so the interval of the mean follows from the three seeds alone."""
    again = ["train", Path("my runs/trial.yaml"), "--set", "optim.lr=0.1"]
    lines = last_lines([measured(tmp_path, "mine", [1, 2, 3])], tmp_path, capsys, again=again)
    assert lines[0] == "test MAE, 3 seeds, [95 % interval over samples and seeds]:"
    assert lines[1].startswith("  mine: all 2.00 [-0.482, 4.48], many 2.00 ["), "t(.975, 2) / sqrt(3) = 2.48"
    assert "few" not in lines[1], "no test sample is few-shot"
    assert lines[2] == UNCOMPARED
    words = shlex.split(lines[3].removeprefix("next: "))
    assert words[:5] == ["groupdir", "train", "my runs/trial.yaml", "--set", "optim.lr=0.1"]
    assert words[5:] == ["--seeds", "5", "--beside", "group_dir", "--out", f"{tmp_path}_beside_group_dir"]
    assert lines[4] == f"then: groupdir predict {tmp_path}/mine/seed_0/checkpoint.pt INPUT --out predictions.csv"
    assert len(lines) == 5


def test_a_difference_that_is_shown_and_one_that_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = [RNG.normal(size=len(TARGET)) for _ in range(3)]
    items = [
        measured(tmp_path, "mine", noise),
        measured(tmp_path, "plain", [3 + each for each in noise], lr=0.2),
        measured(tmp_path, "alike", [RNG.normal(size=len(TARGET)) for _ in range(3)], lr=0.3),
    ]
    lines = last_lines(items, tmp_path, capsys)
    assert [line.partition(":")[0] for line in lines[1:4]] == ["  mine", "  plain (untuned)", "  alike"]
    assert lines[4].startswith("shown, all: mine is better than plain (untuned) by ")
    assert lines[7] == "cannot be told apart, all, many, median: mine and alike"
    assert lines[8] == f"next: groupdir compare {tmp_path}"
    assert UNCOMPARED not in lines


def test_the_worse_first_configuration_is_named_as_worse() -> None:
    y, noise = np.zeros(40), RNG.normal(size=(3, 40))
    values = resample([METRICS["mae"]], np.stack([5 + noise, noise]), y, draws=500)["mae"]
    (line,) = verdict_lines([plan("a"), plan("b")], {"all": values})
    assert line.startswith("shown, all: b is better than a by 4.")


def test_one_seed_limits_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = [measured(tmp_path, "mine", [1]), measured(tmp_path, "other", [2], lr=0.2)]
    lines = last_lines(items, tmp_path, capsys)
    assert lines[0] == "test MAE, one seed, [95 % interval over samples only]:"
    assert ONE_SEED in lines


def test_predictions_that_are_not_finite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = [measured(tmp_path, "mine", [np.nan]), measured(tmp_path, "other", [2], lr=0.2)]
    lines = last_lines(items, tmp_path, capsys)
    assert "mine: a prediction is not finite" in lines
    assert not any("shown" in line or "told apart" in line for line in lines)
    lines = last_lines([items[0]], tmp_path, capsys)
    assert lines[0] == "mine: a prediction is not finite"
    assert lines[-1].startswith("next: groupdir predict ")


def test_commands_can_be_pasted(tmp_path: Path) -> None:
    method = replace(plan("x"), config=TrialConfig.from_dict({**CONTENT, "method": {"name": "group_dir"}}))
    first, second = next_lines([method], Path("my runs"), Path("my runs/c.pt"), ["train", Path("a b.yaml")])
    assert first == "next: groupdir train 'a b.yaml' --seeds 5 --beside vanilla --out 'my runs_beside_vanilla'"
    assert second == "then: groupdir predict 'my runs/c.pt' INPUT --out predictions.csv"
