"""Asynchronous successive halving on one metric."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Literal, Self

import numpy as np

from groupdir.config.schedulers import ASHAConfig
from groupdir.config.search import SearchConfig
from groupdir.metrics import Direction, direction
from launch.schedulers.base import Decision, NeverPauses


class ASHA(NeverPauses):
    """Scheduler that stops a trial at a rung unless it is as good as the best 1/eta of the earlier trials.

    Rungs stand at the epochs grace_period * eta^k. A trial is compared exactly at the epoch of a rung, never later,
    because a value of epoch 31 cannot be compared with values of epoch 15. A trial without a finite metric at a rung
    continues, and later trials are not compared with it.

    Args:
        metric: Name of the metric that is compared.
        mode: "min" if lower values are better, "max" if higher values are.
        grace_period: Epoch of the first rung.
        reduction_factor: Factor eta between the epochs of two rungs; one trial in eta continues.

    Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", in the variant that stops instead
    of pausing.

    Differences from the source: the first trial at a rung continues, because there is nothing to compare it with. The
    limit is the linearly interpolated quantile 1/eta of the earlier values, so that about one trial in eta continues
    even if there are few.

    >>> asha = ASHA("val_mae_all", "min", grace_period=1, reduction_factor=2)
    >>> asha.decide(0, 1, {"val_mae_all": 3.0}).action
    'continue'
    >>> asha.decide(1, 1, {"val_mae_all": 4.0})
    Decision(action='stop', reason='rung 1: val_mae_all 4 is worse than 3', cause='rung')
    """

    Config = ASHAConfig

    def __init__(self, metric: str, mode: Direction, grace_period: int, reduction_factor: float) -> None:
        if grace_period < 1:
            raise ValueError(f"grace_period must be >= 1, got {grace_period}")
        if not reduction_factor > 1:
            raise ValueError(f"reduction_factor must be > 1, got {reduction_factor}")
        self.metric = metric
        self.mode = mode
        self.grace_period = grace_period
        self.reduction_factor = reduction_factor
        self._values: dict[int, list[float]] = {}
        self._answers: dict[tuple[Hashable, int], Decision] = {}

    @classmethod
    def from_config(cls, search: SearchConfig) -> Self:
        """Return a scheduler with the options of a study."""
        options = search.scheduler
        assert isinstance(options, ASHAConfig)
        return cls(options.metric, direction(options.metric), options.grace_period, options.reduction_factor)

    def rung(self, epoch: int) -> bool:
        """Return whether a rung stands at an epoch.

        >>> asha = ASHA("val_mae_all", "min", 2, 3)
        >>> [epoch for epoch in range(1, 60) if asha.rung(epoch)]
        [2, 6, 18, 54]
        """
        at = float(self.grace_period)
        while round(at) < epoch:
            at *= self.reduction_factor
        return round(at) == epoch

    def rung_epochs(self, last: int) -> Iterable[int]:
        """Return the epochs of the rungs below `last`."""
        return [epoch for epoch in range(1, last) if self.rung(epoch)]

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """Return the decision about a trial after an epoch (see `Scheduler.decide`)."""
        if (trial, epoch) in self._answers:
            return self._answers[trial, epoch]
        value = row.get(self.metric, math.nan)
        if not self.rung(epoch) or not math.isfinite(value):
            return Decision()
        cost = value if self.mode == "min" else -value
        earlier = self._values.setdefault(epoch, [])
        decision = Decision(reason=f"rung {epoch}: the first trial to reach it", cause="first")
        if earlier:
            limit = float(np.quantile(earlier, 1 / self.reduction_factor))
            shown = limit if self.mode == "min" else -limit
            worse = cost > limit and not math.isclose(cost, limit, rel_tol=1e-12)  # a tie continues
            comparison = "is worse than" if worse else "is as good as"
            action: Literal["continue", "stop"] = "stop" if worse else "continue"
            decision = Decision(action, f"rung {epoch}: {self.metric} {value:.4g} {comparison} {shown:.4g}")
        earlier.append(cost)
        self._answers[trial, epoch] = decision
        return decision
