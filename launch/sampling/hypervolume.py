"""Our own sampler: it maximises the expected hypervolume improvement, predicted from values at all rungs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from groupdir.config.parameters import Space
from groupdir.config.samplers import HypervolumeConfig
from groupdir.config.search import SearchConfig, bound
from groupdir.metrics import sign
from groupdir.study.state import TrialState
from groupdir.values.coordinates import Array, Coordinates
from launch.pareto import fronts
from launch.sampling.base import NOTHING, Learner, Suggestion
from launch.sampling.design import design
from launch.sampling.fidelity import FEWEST
from launch.sampling.history import END, measured, telling_objectives
from launch.sampling.improvement import BoolArray, expected_improvement
from launch.sampling.modelled import Modelled

CANDIDATES = 256  # points of a quasi-random design to choose from
KNOWN = 64  # most trials from which improvements are measured, taken from the first fronts
SAMPLES = 32  # joint samples of the true objectives
LEAST = 0.25  # lowest probability that a candidate succeeds and satisfies the constraints
EXPLORES = 8  # every eighth trial comes from the design because the model may be wrong (as in BOHB)


class Hypervolume(Learner):
    """Sampler that takes the candidate with the greatest expected hypervolume improvement."""

    Config = HypervolumeConfig

    @cached_property
    def _suggest(self) -> Callable[[Sequence[int]], dict[str, Any]] | None:
        past = self.past
        return suggester(past.space, past.search, past.trials, past.rungs, past.warm, past.fixed)

    def learned(self, seed: Sequence[int]) -> Suggestion | None:
        """Return the best candidate, or None for every eighth trial and while the model has too little data."""
        if len(self.past.trials) % EXPLORES == 0 or self._suggest is None:
            return None
        return Suggestion(self._suggest(seed))


def suggester(
    space: Space,
    search: SearchConfig,
    trials: Sequence[TrialState],
    rungs: Sequence[int],
    warm: Sequence[Mapping[str, Any]],
    fixed: Mapping[str, Any] = NOTHING,
) -> Callable[[Sequence[int]], dict[str, Any]] | None:
    """Return a function from a seed to parameters, or None while the model has too little data.

    The model needs a fidelity that more trials reached than there are parameters. It predicts every objective at the
    end of a training from the values at all rungs (`Climb`). The next trial is the candidate with the greatest expected
    hypervolume improvement over the finished and the running trials. A candidate that may fail or violate a constraint
    counts for less. Because running trials count too, suggestions that are requested at the same time differ.

    The result depends on the arguments and on the rounding of the machine only. Fits on other processors may differ in
    the last digit. In rare cases this changes which of two equally good candidates is taken.

    Args:
        space: The search space.
        search: Objectives and constraints.
        trials: All search trials so far, by number.
        rungs: Epochs of the rungs, in ascending order.
        warm: `params` and `values` of trials of earlier studies.
        fixed: Parameters that already have a value.

    Returns:
        A function of the integers that seed its random generator.
    """
    study = _Study(space, search, trials, rungs, warm)
    if not study.ready:
        return None
    models = [study.model(name, sign) for name, sign in study.objectives.items()]
    alive = np.asarray(study.alive, dtype=np.int64)
    if len(alive) > KNOWN:
        means = np.stack([model.mean(study.points[alive]) for model in models], axis=1)
        alive = alive[np.argsort(fronts(means), kind="stable")[:KNOWN]]

    def suggest(seed: Sequence[int]) -> dict[str, Any]:
        rng = np.random.default_rng(list(seed))
        candidates = design(space, int(rng.integers(2**31)), CANDIDATES, fixed=fixed)
        points = np.stack([study.coordinates.features(item) for item in candidates])
        places = np.concatenate([study.points[alive], points])
        samples = np.stack([model.samples(places, _normal(rng, places)) for model in models], axis=2)
        kept = _kept(study, places, rng)
        gain = expected_improvement(samples, kept, len(alive), int(rng.integers(2**31)))
        chance = kept[:, len(alive) :].mean(axis=0)
        behind = fronts(samples[:, len(alive) :].mean(axis=0))  # decides if no candidate has an expected gain
        return candidates[int(np.lexsort((-behind, chance, gain * (chance >= LEAST)))[-1])]

    return suggest


def _normal(rng: np.random.Generator, points: Array) -> Array:
    return rng.standard_normal((SAMPLES, len(points)))


def _kept(study: _Study, points: Array, rng: np.random.Generator) -> BoolArray:
    """Mark the samples `(S, K)` in which a training at a point succeeds and satisfies the constraints.

    A constraint on a metric without enough values is ignored.
    """
    kept = np.ones((SAMPLES, len(points)), dtype=bool)
    for name, text in study.search.constraints.items():
        sign, limit = bound(text)
        if study.measurable(name):
            kept &= study.model(name, sign, cut=False).samples(points, _normal(rng, points)) <= sign * limit
    if np.nansum(study.failures) and np.isfinite(study.failures).sum() >= FEWEST:
        failures = Modelled(study.points, [study.failures], study.settled, cut=False)
        kept &= failures.samples(points, _normal(rng, points)) < 0.5
    return kept


class _Study:
    """Trials as points, with their values at each fidelity."""

    def __init__(
        self,
        space: Space,
        search: SearchConfig,
        trials: Sequence[TrialState],
        rungs: Sequence[int],
        warm: Sequence[Mapping[str, Any]],
    ) -> None:
        self.search, self._trials, self._warm = search, trials, warm
        self.coordinates = Coordinates(space.parameters)
        self.params = [item["params"] for item in warm] + [trial.params for trial in trials]
        self.points = np.stack([self.coordinates.features(item) for item in self.params])
        ends = [search.scheduler.last_epoch] if search.scheduler.last_epoch else []
        rows = {fidelity: [measured(trial, fidelity, search) for trial in trials] for fidelity in (*rungs, *ends, END)}
        counts = {fidelity: sum(row is not None for row in reached) for fidelity, reached in rows.items()}
        counts[END] += len(warm)
        self.ready = max(counts.values()) >= max(FEWEST, len(space.parameters) + 1)
        self._rows = {fidelity: reached for fidelity, reached in rows.items() if counts[fidelity] >= FEWEST}
        known = [row for reached in self._rows.values() for row in reached if row is not None]
        names = telling_objectives(search, [*known, *(item["values"] for item in warm)])
        self.objectives = {name: sign(name) for name in names}

    @property
    def alive(self) -> list[int]:
        """Indices of the trials that finished, may still finish, or were stopped at the last epoch of the scheduler."""
        last = self.search.scheduler.last_epoch or np.inf  # a trial stopped there was not stopped for bad values
        may = [
            (trial.status in ("running", "finished") and not trial.stop_decided) or trial.fidelity >= last
            for trial in self._trials
        ]
        return [*range(len(self._warm)), *(len(self._warm) + index for index, is_may in enumerate(may) if is_may)]

    def measurable(self, name: str) -> bool:
        """Return True if any fidelity has enough values of a metric."""
        return any(np.isfinite(self._costs(fidelity, name, 1.0)).sum() >= FEWEST for fidelity in self._rows)

    def model(self, name: str, sign: float, cut: bool = True) -> Modelled:
        """Return a model of a metric times its sign."""
        costs = [self._costs(fidelity, name, sign) for fidelity in self._rows]
        return Modelled(self.points, costs, self.settled, cut)

    @property
    def failures(self) -> Array:
        """Outcomes `(N,)`: 1 for a failed trial, 0 for a trial that reached a fidelity, NaN for an undecided one."""
        reached = [any(row[index] is not None for row in self._rows.values()) for index in range(len(self._trials))]
        new = [
            1.0 if trial.status == "failed" else 0.0 if known else np.nan
            for trial, known in zip(self._trials, reached, strict=True)
        ]
        return np.asarray([0.0] * len(self._warm) + new)

    def _costs(self, fidelity: float, name: str, sign: float) -> Array:
        """Return the costs `(N,)` of the trials at a fidelity."""
        old = [item["values"].get(name, np.nan) if fidelity == END else np.nan for item in self._warm]
        new = [row.get(name, np.nan) if row is not None else np.nan for row in self._rows[fidelity]]
        return sign * np.asarray([*old, *new], dtype=np.float64)

    @property
    def settled(self) -> int:
        """Number of first trials without a gap that reached the lowest fidelity or never will."""
        lowest = self._rows[next(iter(self._rows))]
        over = (
            row is not None or trial.status in ("stopped", "failed", "finished")
            for row, trial in zip(lowest, self._trials, strict=True)
        )
        return len(self._warm) + sum(1 for _ in itertools.takewhile(bool, over))
