"""Every scheduler searches a method of one's own with stages `warmup` and `fit`, with equal budgets.

The names of the stages mean nothing to a search: it asks which of them predict, and for how many epochs.
"""

import json
import math
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from groupdir.config.benchmark import load_benchmark
from groupdir.config.space import StudyConfig
from launch.control.audit import audit
from launch.on_ray.searcher import stages_of
from launch.schedulers import make_scheduler
from launch.screen.plan import plan
from launch.simulation.clock import Clock
from launch.simulation.simulated_study import SimulatedStudy
from launch.simulation.surrogate import Drawn
from launch.study.study import Study

WARMUP, FIT = 3, 9
ERRORS = ("val_mae_all", "val_mae_many", "val_mae_median", "val_mae_few")
RUNGS = [WARMUP + 1, WARMUP + 3]  # grace_period 1, reduction_factor 3, below 9 epochs
SCHEDULER_CASES: dict[str, dict[str, Any]] = {
    "pareto_asha": {"name": "pareto_asha", "grace_period": 1, "reduction_factor": 3},
    "pareto_asha promote": {"name": "pareto_asha", "grace_period": 1, "reduction_factor": 3, "mode": "promote"},
    "asha": {"name": "asha", "grace_period": 1, "reduction_factor": 3},
    "none": {"name": "none"},
}
every_scheduler = pytest.mark.parametrize("scheduler", SCHEDULER_CASES)
every_method = pytest.mark.parametrize("method", ["Warmed", "SaysItself"])


def content(scheduler: str, method: str = "Warmed", **search: Any) -> dict[str, Any]:
    return {
        "name": "warmed",
        "data": {"name": "tests.toy.parts:Waves"},
        "encoder": {"name": "mlp", "widths": [8]},
        "method": {"name": f"tests.toy.staged:{method}", "warmup": WARMUP, "slope": {"log_uniform": [0.1, 10]}},
        "optim": {"lr": {"log_uniform": [0.001, 0.1]}},
        "train": {"epochs": FIT, "batch_size": 64},
        "search": {"trials": 12, "sampler": {"name": "random"}, "scheduler": SCHEDULER_CASES[scheduler], **search},
    }


class Falling:
    """Errors that fall from epoch to epoch of a training, to a floor that depends on the rate."""

    name = "falling errors"

    def draw(self, params: Mapping[str, Any], rng: np.random.Generator, used: Collection[Any] = ()) -> Drawn:
        floor = 2 + abs(math.log(params["optim.lr"] / 0.01))
        rows = [{"seconds": 1.0, **dict.fromkeys(ERRORS, floor + 5 / epoch)} for epoch in range(1, FIT + 1)]
        return Drawn(rows, (floor,) * 3, (floor,) * 3)

    def known(self) -> list[tuple[float, ...]]:
        return [(2.0, 2.0, 2.0)]


def check(rows: list[dict[str, Any]], trial_epochs: dict[int, tuple[str, int]], scheduler: str) -> None:
    """What holds of every trial, simulated or not.

    Args:
        rows: Epochs of all trials.
        trial_epochs: Trial -> its status and its last epoch.
        scheduler: Its case.
    """
    for row in rows:
        warm = row["epoch"] <= WARMUP
        assert (row["stage"], row["predicts"]) == (("warmup", False) if warm else ("fit", True))
        assert row["fidelity"] == max(0, row["epoch"] - WARMUP)
        assert row["stage_epoch"] == (row["epoch"] if warm else row["epoch"] - WARMUP)
    for status, epoch in trial_epochs.values():
        assert epoch == WARMUP + FIT if status == "finished" else epoch in RUNGS, (status, epoch)
    statuses = [status for status, _ in trial_epochs.values()]
    assert set(statuses) == ({"finished"} if scheduler == "none" else {"finished", "stopped"})


@every_scheduler
@every_method
@pytest.mark.parametrize("share", [True, False])
def test_a_simulated_search(scheduler: str, method: str, share: bool) -> None:
    config = StudyConfig.from_dict(content(scheduler, method, share_stages=share))
    driver = SimulatedStudy(config)
    ticks = list(Clock(driver, Falling(), 4).run())
    state = driver.study.state
    trials = state.of("search")
    check(
        [dict(row) for trial in trials for row in trial.rows],
        {trial.number: (trial.status, trial.epoch) for trial in trials},
        scheduler,
    )
    assert {epoch for trial in trials for epoch in trial.decisions} == (set() if scheduler == "none" else set(RUNGS))
    first = 0 if share else WARMUP
    assert state.epochs == len(ticks) == sum(first + trial.fidelity for trial in trials)
    found = audit(driver.study.events(), config, lambda: make_scheduler(config.search))
    assert not found.wrong
    assert (found.checked["promotions"] > 0) == (scheduler == "pareto_asha promote")


def test_a_budget_of_epochs_counts_all_stages() -> None:
    config = StudyConfig.from_dict(content("none", share_stages=False, max_epochs=30))
    driver = SimulatedStudy(config)
    list(Clock(driver, Falling(), 1).run())
    assert driver.study.state.epochs in (30, 31)
    assert [trial.epoch for trial in driver.study.state.of("search")][:2] == [WARMUP + FIT] * 2


@every_method
def test_what_would_run_is_said_with_all_epochs(method: str, tmp_path: Path) -> None:
    text = plan(StudyConfig.from_dict(content("pareto_asha", method)), tmp_path)
    assert "\ntrials: 12\n" in text
    assert "epochs of a trial: up to 12, 9 of them in stages that predict\n" in text
    assert "rungs at epochs: 1, 3 of the stages that predict\n" in text
    # 12 trials to rung 1, 4 to rung 3, 4 / 3 to the end: 12 + 8 + 8, and 3 epochs of warm-up each
    assert "budget: about 64 epochs" in text
    assert "at most 144\n" in text
    assert "first stages: 12 distinct for 12 trials" in text, "the rate is part of it"


@every_method
def test_a_longer_first_stage_passes_by_a_shorter_one(method: str, tmp_path: Path) -> None:
    open_length = content("none", method)
    open_length["method"]["warmup"] = {"choice": [2, 3, 5]}
    study = Study.create(tmp_path / "study", StudyConfig.from_dict(open_length))
    shared = stages_of(study)
    study.close()
    assert shared is not None
    assert shared["marks"] == [2, 3, 5]


@every_method
def test_rows_of_a_benchmark_have_equal_epochs(method: str, tmp_path: Path) -> None:
    method_section = content("none", method)["method"]
    (tmp_path / "warmed.yaml").write_text(yaml.safe_dump({"method": method_section}), encoding="utf-8")
    (tmp_path / "vanilla.yaml").write_text("method: {name: vanilla}\n", encoding="utf-8")
    table = {key: value for key, value in content("none").items() if key not in ("method", "name")}
    table |= {"train": {"epochs": 10}, "rows": {"ours": "warmed.yaml", "VANILLA": "vanilla.yaml"}}
    (tmp_path / "both.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    for row in load_benchmark(tmp_path / "both.yaml").rows:
        assert row.study is not None
        assert {sum(stage.epochs for stage in stages) for stages in row.study.space.corner_stages} == {10}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("scheduler", ["pareto_asha", "pareto_asha promote"])
def test_a_search_on_ray(scheduler: str, root: Path, tmp_path: Path) -> None:
    file, folder = tmp_path / "warmed.yaml", tmp_path / "study"
    file.write_text(yaml.safe_dump(content(scheduler, "SaysItself", share_stages=False)), encoding="utf-8")
    command = [sys.executable, "-m", "launch", "search", str(file), "--out", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    epochs = pq.read_table(folder / "epochs.parquet").to_pylist()
    trials = pq.read_table(folder / "trials.parquet").to_pylist()
    check(epochs, {row["trial"]: (row["status"], row["epochs"]) for row in trials}, scheduler)
    for row in epochs:
        assert math.isfinite(row["val_mae_all"]) == row["predicts"]
    assert len(epochs) == sum(row["epochs"] for row in trials)
    assert json.loads(next(row["param:optim.lr"] for row in trials)) > 0
