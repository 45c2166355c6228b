"""Our own sampler: the point that is expected to add most to the front's hypervolume, from values at all rungs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from groupdir.config.samplers import HypervolumeConfig
from groupdir.config.search import SearchConfig, bound
from groupdir.config.space import Space
from groupdir.metrics import sign
from groupdir.study.state import TrialState
from launch.pareto import fronts
from launch.sampling.base import NOTHING, Learner, Suggestion
from launch.sampling.coordinates import Array, Coordinates
from launch.sampling.design import design
from launch.sampling.fidelity import FEWEST
from launch.sampling.history import END, measured
from launch.sampling.improvement import BoolArray, expected_improvement
from launch.sampling.modelled import Modelled

CANDIDATES = 4  # of a quasi-random design, of which one is taken: eight did about as well, hundreds far worse
KNOWN = 64  # trials that improvements are measured from: those on the first fronts
SAMPLES = 16  # of what may be true
LEAST = 0.25  # probability to succeed and to keep to the constraints that a candidate must have
EXPLORES = 3  # one trial in so many is of the design whatever the model says: it may be wrong (BOHB does so too)


class Hypervolume(Learner):
    """Sampler that takes the point which is expected to add most to the front's hypervolume."""

    Config = HypervolumeConfig

    @cached_property
    def _suggest(self) -> Callable[[Sequence[int]], dict[str, Any]] | None:
        past = self.past
        return suggester(past.space, past.search, past.trials, past.rungs, past.warm, past.fixed)

    def learned(self, seed: Sequence[int]) -> Suggestion | None:
        """Return the best of some candidates; None for every third trial, and while too little is known."""
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
    """Return a function from a seed to parameters, or None while no fidelity has more trials than there are parameters.

    Every objective is predicted for the end of a training from the values at all rungs (`Climb`). The next trial is the
    one of some candidates whose expected hypervolume improvement is greatest, over what has finished and what runs;
    points that may fail or break a constraint add the less. What is asked for at once is different.

    All follows from the arguments, and from how the machine rounds: fits on other processors may differ in the last
    digit, and so, rarely, in which of two points that are as good is taken.

    Args:
        space: What is open.
        search: Objectives and constraints.
        trials: All search trials so far, by number.
        rungs: The rungs, upwards.
        warm: Trials of earlier studies: `params` and `values`.
        fixed: Parameters whose values are given.

    Returns:
        A function of the numbers that seed a generator.
    """
    study = _Study(space, search, trials, rungs, warm)
    if not study.ready:
        return None
    models = [study.model(name, sign) for name, sign in study.objectives.items()]
    alive = np.asarray(study.alive, dtype=np.int64)
    if len(alive) > KNOWN:
        means = np.stack([model.mean(study.points[alive]) for model in models], axis=1)
        alive = alive[np.argsort(fronts(means), kind="stable")[:KNOWN]]

    def suggest(words: Sequence[int]) -> dict[str, Any]:
        rng = np.random.default_rng(list(words))
        candidates = design(space, int(rng.integers(2**31)), CANDIDATES, fixed=fixed)
        points = np.stack([study.coordinates.features(item) for item in candidates])
        places = np.concatenate([study.points[alive], points])
        samples = np.stack([model.samples(places, _normal(rng, places)) for model in models], axis=2)
        kept = _kept(study, places, rng)
        gain = expected_improvement(samples, kept, len(alive), int(rng.integers(2**31)))
        chance = kept[:, len(alive) :].mean(axis=0)
        behind = fronts(samples[:, len(alive) :].mean(axis=0))  # decides where none is expected to improve anything
        return candidates[int(np.lexsort((-behind, chance, gain * (chance >= LEAST)))[-1])]

    return suggest


def _normal(rng: np.random.Generator, points: Array) -> Array:
    return rng.standard_normal((SAMPLES, len(points)))


def _kept(study: _Study, points: Array, rng: np.random.Generator) -> BoolArray:
    """Whether trainings at points succeed and keep to the constraints, in each sample: `(S, K)`.

    A constraint on what nobody has measured yet is left aside.
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
    """The trials as points, and their values at each fidelity."""

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
        counts = {fidelity: sum(row is not None for row in found) for fidelity, found in rows.items()}
        counts[END] += len(warm)
        self.ready = max(counts.values()) >= max(FEWEST, len(space.parameters) + 1)
        self._rows = {fidelity: found for fidelity, found in rows.items() if counts[fidelity] >= FEWEST}
        self.objectives = {name: sign(name) for name in search.objectives}

    @property
    def alive(self) -> list[int]:
        """Indices of those that have finished or may: neither stopped below their last epoch, failed nor paused."""
        last = self.search.scheduler.last_epoch or np.inf  # a trial that came there is stopped, but has not lost
        may = [
            (trial.status in ("running", "finished") and not trial.told_to_stop) or trial.fidelity >= last
            for trial in self._trials
        ]
        return [*range(len(self._warm)), *(len(self._warm) + index for index, is_may in enumerate(may) if is_may)]

    def measurable(self, name: str) -> bool:
        """Whether any fidelity has enough values of a metric."""
        return any(np.isfinite(self._costs(fidelity, name, 1.0)).sum() >= FEWEST for fidelity in self._rows)

    def model(self, name: str, sign: float, cut: bool = True) -> Modelled:
        """A model of a metric times its sign."""
        costs = [self._costs(fidelity, name, sign) for fidelity in self._rows]
        return Modelled(self.points, costs, self.settled, cut)

    @property
    def failures(self) -> Array:
        """1 for each that has failed, 0 for one that came to a fidelity, NaN while nobody knows: `(N,)`."""
        came = [any(found[index] is not None for found in self._rows.values()) for index in range(len(self._trials))]
        new = [
            1.0 if trial.status == "failed" else 0.0 if known else np.nan
            for trial, known in zip(self._trials, came, strict=True)
        ]
        return np.asarray([0.0] * len(self._warm) + new)

    def _costs(self, fidelity: float, name: str, sign: float) -> Array:
        """Costs `(N,)` at a fidelity."""
        old = [item["values"].get(name, np.nan) if fidelity == END else np.nan for item in self._warm]
        new = [row.get(name, np.nan) if row is not None else np.nan for row in self._rows[fidelity]]
        return sign * np.asarray([*old, *new], dtype=np.float64)

    @property
    def settled(self) -> int:
        """How many first trials have come to the lowest fidelity, or never will."""
        lowest = self._rows[next(iter(self._rows))]
        over = (
            row is not None or trial.status in ("stopped", "failed", "finished")
            for row, trial in zip(lowest, self._trials, strict=True)
        )
        return len(self._warm) + sum(1 for _ in itertools.takewhile(bool, over))
