"""Estimate of the time left: the tail of a search, later phases, and replays of simulated searches."""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from groupdir.config.space import StudyConfig
from groupdir.study.events import Event
from groupdir.study.state import StudyState, fold
from launch.screen.time_left import TimeLeft
from launch.simulation.clock import Clock
from launch.simulation.simulated_study import SimulatedStudy
from launch.study.memory_store import MemoryStore
from launch.study.study import Study
from tests.epoch_report import report
from tests.launch.conftest import CONTENT
from tests.launch.simulation.test_clock import Bowl, config

Suggest = Callable[[Study], int]
EPOCH = 10.0


class Timed:
    """A study in memory, and the time of its next events."""

    def __init__(self, **search: Any) -> None:
        self.now = 0.0
        told = {"trials": 3, "scheduler": {"name": "none"}, "ablations": {}, "sampler": {"name": "random"}} | search
        content = {**CONTENT, "train": {"epochs": 6}, "search": told}
        self.study = Study(Path("simulated"), StudyConfig.from_dict(content), MemoryStore(lambda: self.now), None)
        self.study.append("driver", payload={"action": "start", "pid": 1})

    def epochs(self, trial: int, first: int, last: int, end: str = "") -> None:
        """Report epochs of 10 s each."""
        for epoch in range(first, last + 1):
            self.now += EPOCH
            metrics = {f"val_mae_{shot}": 3.0 + epoch for shot in ("all", "many", "median", "few")}
            payload = {**report(epoch, seconds=EPOCH), "last": end == "finished" and epoch == last, "metrics": metrics}
            seed = self.study.state.trials[trial].seed
            self.study.append("epoch", trial=trial, seed=seed, epoch=epoch, payload=payload)
        if end:
            self.study.append(end, trial=trial)  # type: ignore[arg-type]

    def left(self) -> float:
        return TimeLeft(self.study.config).estimate(self.study.state, self.now)


def test_the_last_trial_takes_its_remaining_epochs(suggest: Suggest) -> None:
    """Five epochs of 10 s are 50 s, although the mean of the ended trials is less."""
    timed = Timed()
    assert math.isnan(timed.left()), "nothing is known before the first epoch"
    for _ in range(2):
        trial = suggest(timed.study)
        timed.study.append("started", trial=trial)
        timed.epochs(trial, 1, 1, "stopped")
    last = suggest(timed.study)
    timed.study.append("started", trial=last)
    assert timed.left() == pytest.approx(60.0)
    timed.epochs(last, 1, 1)
    assert timed.left() == pytest.approx(50.0)
    timed.now += 4.0
    assert timed.left() == pytest.approx(46.0), "a part of the epoch has passed"
    timed.now -= 4.0
    timed.epochs(last, 2, 6, "finished")
    assert math.isnan(timed.left())


def test_ablations_and_confirmations_run_to_their_end(suggest: Suggest) -> None:
    """One trial of 6 epochs remains, then 25 % of 18 epochs, which is one training, then 4 ablations."""
    ablations = {"ablations": {"hard labels": {"method.group_loss": "ce"}}, "ablation_seeds": 2}
    timed = Timed(**ablations, confirm={"share": 0.25})
    for _ in range(2):
        trial = suggest(timed.study)
        timed.study.append("started", trial=trial)
        timed.epochs(trial, 1, 6, "finished")
    assert timed.left() == pytest.approx(60.0 + 60.0 + 240.0)


def test_limits_shorten_the_rest(suggest: Suggest) -> None:
    for search, left in (({"max_epochs": 9}, 30.0), ({"max_hours": 0.02}, 12.0)):
        timed = Timed(**search)
        trial = suggest(timed.study)
        timed.study.append("started", trial=trial)
        timed.epochs(trial, 1, 6, "finished")
        assert timed.left() == pytest.approx(left)


def test_a_resume_counts_on_without_the_pause(suggest: Suggest) -> None:
    timed = Timed()
    trial = suggest(timed.study)
    timed.study.append("started", trial=trial)
    timed.epochs(trial, 1, 2)
    timed.now += 5000.0
    timed.study.append("driver", payload={"action": "resume", "pid": 2})
    assert timed.left() == pytest.approx(40.0 + 2 * 60.0)
    timed.study.append("started", trial=trial)
    timed.now += 30.0  # the start of a worker
    timed.epochs(trial, 3, 3)
    assert timed.left() == pytest.approx(30.0 + 2 * 60.0)


def test_an_estimate_is_counted_down_in_between(suggest: Suggest) -> None:
    timed, ticks = Timed(), iter([0.0, 0.0, 0.5, 1.5, 1.5])
    left = TimeLeft(timed.study.config, lambda: next(ticks))
    trial = suggest(timed.study)
    timed.study.append("started", trial=trial)
    timed.epochs(trial, 1, 1)
    assert left.seconds(timed.study.state, timed.now) == pytest.approx(50.0 + 120.0)
    assert left.seconds(timed.study.state, timed.now + 7) == pytest.approx(163.0)
    assert math.isnan(TimeLeft(timed.study.config).seconds(StudyState(), 0.0))


def simulated(search: StudyConfig, workers: int, seed: int) -> list[Event]:
    """The events of a search, with the virtual time of each."""
    clocks: list[Clock] = []
    store = MemoryStore(lambda: clocks[0].now if clocks else 0.0)
    store.append("driver", payload={"action": "start", "pid": 1})
    clocks.append(Clock(SimulatedStudy(search, store=store), Bowl(), workers, seed))
    for _ in clocks[0].run():
        pass
    return store.list


SCHEDULERS: list[dict[str, Any]] = [
    {"name": "none"},
    {"name": "pareto_asha", "grace_period": 1, "reduction_factor": 3},
    {"name": "pareto_asha", "grace_period": 1, "reduction_factor": 3, "mode": "promote"},
    {"name": "asha", "grace_period": 1, "reduction_factor": 3},
]


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda options: f"{options['name']} {options.get('mode', '')}")
def test_estimates_are_near_the_truth(scheduler: dict[str, Any]) -> None:
    """The median of six searches at each moment. The mean of the ended trials says 0.2 at a quarter."""
    ratios: dict[float, list[float]] = {0.1: [], 0.25: [], 0.5: [], 0.75: []}
    for workers in (1, 4):
        for seed in range(3):
            search = config(trials=24, ablations={}, sampler={"name": "random"}, scheduler=scheduler, seed=seed)
            events = simulated(search, workers, seed)
            state, end, seen = StudyState(), events[-1].time, 0
            for moment, values in ratios.items():
                while events[seen].time <= moment * end:
                    fold(state, events[seen])
                    seen += 1
                values.append(TimeLeft(search).estimate(state, moment * end) / (end * (1 - moment)))
    assert all(0.5 < median(values) < 1.7 for values in ratios.values()), ratios
    assert all(0.1 < value < 6 for values in ratios.values() for value in values), ratios
