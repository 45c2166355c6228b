"""What people would search with instead: Ray's own objects as shipped, and the faulty rules of two public tools.

The rules are written anew. All are driven by the same simulated clock as the production loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
from optuna import logging as optuna_logging
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from ray.tune.search.optuna import OptunaSearch

from groupdir.config.space import StudyConfig
from launch.control.study_loop import OVER, Next
from launch.pareto import rank
from launch.sampling.domains import draw
from launch.sampling.independent import random_point
from launch.schedulers.base import Action, Decision, NeverPauses
from launch.schedulers.ladder import Ladder
from launch.schedulers.pareto_asha import ParetoHalving
from launch.simulation.surrogate import Rows


class RayDriver:
    """Ray Tune as shipped: its ASHA on one metric, and random configurations or its OptunaSearch.

    Args:
        config: The study: its space, objectives, grace period, reduction factor, number of trials and seed.
        optuna: Whether OptunaSearch suggests, over all objectives; else configurations are drawn at random.
        metric: What ASHA compares.
        longest: Epochs of a training.
    """

    def __init__(self, config: StudyConfig, optuna: bool, metric: str = "val_mae_all", longest: int = 30) -> None:
        search = config.search
        self._space, self._seed, self._left = config.space, search.seed, search.trials
        rungs = {"grace_period": search.scheduler.grace_period, "reduction_factor": search.scheduler.reduction_factor}
        self._asha = AsyncHyperBandScheduler(time_attr="epoch", metric=metric, mode="min", max_t=longest, **rungs)
        optuna_logging.set_verbosity(optuna_logging.WARNING)
        names, modes = list(search.objectives), list(search.objectives.values())
        self._optuna = OptunaSearch(self._define, metric=names, mode=modes, seed=search.seed) if optuna else None
        self._params: dict[int, Mapping[str, Any]] = {}
        self._last: dict[int, Mapping[str, Any]] = {}

    def _define(self, trial: Any) -> dict[str, Any]:
        self._drawn = self._space.suggest(lambda name, domain: draw(trial, name, domain))
        return {}

    def following(self) -> Next:
        """A new trial, or over."""
        number = len(self._params)
        if number >= self._left:
            return OVER
        if self._optuna:
            self._optuna.suggest(str(number))
            self._params[number] = self._drawn
        else:
            self._params[number] = random_point(self._space, [self._seed, number, 0])
        self._asha.on_trial_add(_NOBODY, _ray_trial(number))
        return number

    def params(self, trial: int) -> Mapping[str, Any]:
        """Parameters of a trial."""
        return self._params[trial]

    def seed(self, trial: int) -> int:
        """A seed of its own."""
        return trial

    def whole(self, trial: int, rows: Rows) -> Rows:
        """All epochs predict."""
        return rows

    def start(self, trial: int) -> int:
        """From the beginning: there are no faults in these runs."""
        return 0

    def report(self, trial: int, row: Mapping[str, Any]) -> Action:
        """What Ray's ASHA says."""
        self._last[trial] = row
        said = self._asha.on_trial_result(_NOBODY, _ray_trial(trial), dict(row))
        return "stop" if said == TrialScheduler.STOP else "continue"

    def end(self, trial: int, how: str, epoch: int) -> None:
        """OptunaSearch is told the last values, whatever the epoch, as Ray does."""
        if self._optuna:
            self._optuna.on_trial_complete(str(trial), dict(self._last[trial]))

    def restart(self, running: Collection[int]) -> None:
        """Refuses.

        Raises:
            NotImplementedError: Always: what Ray's scheduler knows does not come back.
        """
        raise NotImplementedError("Ray's scheduler forgets its rungs")


_NOBODY: Any = None  # Ray's controller, which these methods do not look at


def _ray_trial(number: int) -> Any:
    return SimpleNamespace(trial_id=str(number))


class IndicesAsRanks(NeverPauses):
    """Faulty: the indices that sort the rung are read as the ranks of its members.

    The newcomer's "rank" is then the index of the trial that happens to be last in the order; whether it goes on has
    little to do with its own values.
    """

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._rungs: dict[int, list[list[float]]] = {}

    def rung_epochs(self, last: int) -> Iterator[int]:
        """The rungs below an epoch."""
        return iter(self._ladder.rung_epochs(last))

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """Stops or goes on."""
        if not self._ladder.is_rung(epoch):
            return Decision()
        names, modes = list(self._ladder.objectives), list(self._ladder.objectives.values())
        rung = self._rungs.setdefault(epoch, [])
        rung.append([float(row[name]) for name in names])
        mistaken = np.argsort(rank(rung, modes), kind="stable")
        stops = mistaken[-1] >= len(rung) / self._ladder.reduction_factor
        return Decision("stop" if stops else "continue", f"rung {epoch}: read as place {mistaken[-1]} of {len(rung)}")


class NeverHalves:
    """Faulty: the share that may go on is counted among those that have not gone on yet, so that it never fills up."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._gone: dict[int, set[Hashable]] = {}
        self._sorted: dict[int, list[Hashable]] = {}

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """Pauses at rungs."""
        return self._ladder.decide(trial, epoch, row)

    def rung_epochs(self, last: int) -> Iterator[int]:
        """The rungs below an epoch."""
        return iter(self._ladder.rung_epochs(last))

    def promotable(self, ready: Callable[[Hashable], bool], last: bool = False) -> tuple[Hashable, int] | None:
        """One of the best len(rest) // eta of those that have not gone on."""
        for epoch in sorted(self._ladder.rungs, reverse=True):
            gone = self._gone.setdefault(epoch, set())
            rest = [name for name in self._in_order(epoch) if name not in gone]
            for name in rest[: int(len(rest) // self._ladder.reduction_factor)]:
                if ready(name):
                    return name, epoch
        return None

    def _in_order(self, epoch: int) -> list[Hashable]:
        """A rung's members by front, sorted anew when there are more."""
        rung = self._ladder.rungs[epoch]
        if len(self._sorted.get(epoch, ())) != len(rung):
            self._sorted[epoch] = sorted(rung.top(len(rung)), key=rung.front)
        return self._sorted[epoch]

    def promote(self, trial: Hashable, epoch: int) -> None:
        """Takes note."""
        self._gone.setdefault(epoch, set()).add(trial)
        self._ladder.promote(trial, epoch)


def ladder_of(config: StudyConfig) -> Ladder:
    """The rungs that the study's scheduler has."""
    return ParetoHalving.from_config(config.search)
