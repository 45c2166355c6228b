"""Choice of a configuration by a rule, from estimates: how sure it is, and what cannot be told apart from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from groupdir.metrics import sign
from groupdir.rules import metrics_of_rule
from groupdir.shots import ALL
from groupdir.values.fronts import on_front
from groupdir.values.kernels import Array, Indices
from groupdir.values.values import CONFIDENCE, Values

COMPARISONS = 200_000_000
"""Comparisons of two configurations in one metric that `front_chances` makes at most, in about half a second."""


@dataclass(frozen=True)
class Choice:
    """Choice of a rule.

    Attributes:
        rule: Name of the rule.
        index: Index of the chosen configuration.
        chance: Probability that the configuration is the best of the candidates by the rule, NaN where the study has
            too few trainings to say.
        rivals: Indices of the candidates that cannot be told apart from it, the most likely rivals first.
        candidates: Number of the candidates that have all metrics of the rule.
        compared: Number of these whose samples were compared, see `Values.contenders`.
    """

    rule: str
    index: int
    chance: float
    rivals: tuple[int, ...]
    candidates: int
    compared: int


@dataclass(frozen=True)
class Scores:
    """Scores of a rule, lower is better.

    Attributes:
        candidates: Indices of the configurations that have all metrics of the rule, k in number.
        expected: Scores `(k,)` of the estimates.
        samples_of: Function from indices of m configurations, ascending, to scores `(DRAWS, m)` of posterior samples.
            They are comparable with one another; those of one metric are in its units, while `expected` is on the scale
            of `MetricValues.costs`.
        slopes: For each metric the derivative `(k,)` of the score with respect to `MetricValues.costs`.
    """

    candidates: Indices
    expected: Array
    samples_of: Callable[[Indices], Array]
    slopes: Mapping[str, Array]


def scores(values: Values, metrics: Sequence[str], candidates: Indices) -> Scores:
    """Return the scores of a rule.

    The score of one metric is its cost. The score of several metrics, which the knee reads, is the distance to the
    ideal point: each metric is scaled to [0, 1] over the front of the estimates. Constants and copies of another metric
    do not count, see `Values.telling`.

    Args:
        values: Values of the study.
        metrics: Metrics of the rule.
        candidates: Indices of the configurations to choose from.
    """
    finite = np.all([np.isfinite(values.of(metric).costs[candidates]) for metric in metrics], axis=0)
    usable = candidates[finite]
    metrics = values.telling(metrics)
    if len(metrics) == 1:
        one = values.of(metrics[0])
        towards = sign(metrics[0])
        slopes = {metrics[0]: np.ones(len(usable))}
        return Scores(usable, one.costs[usable], lambda chosen: towards * one.samples_of(chosen), slopes)
    expected = _costs(metrics, [values.of(metric).mean[usable] for metric in metrics])
    if not len(usable):
        return Scores(usable, np.empty(0), lambda chosen: np.empty((1, len(chosen))), dict.fromkeys(metrics, expected))
    front = expected[on_front(expected)]
    low, span = front.min(axis=0), np.ptp(front, axis=0)
    span = np.where(span > 0, span, 1.0)
    apart = (expected - low) / span
    distance = np.linalg.norm(apart, axis=1)
    share = apart / np.where(distance > 0, distance, 1.0)[:, None] / span
    slopes = {metric: share[:, at] * values.of(metric).slope()[usable] for at, metric in enumerate(metrics)}

    def samples_of(chosen: Indices) -> Array:
        samples = _costs(metrics, [values.of(metric).samples_of(chosen) for metric in metrics])
        return np.asarray(np.linalg.norm((samples - low) / span, axis=2))

    return Scores(usable, distance, samples_of, slopes)


def _costs(metrics: Sequence[str], columns: Sequence[Array]) -> Array:
    """Return values of metrics as costs, with the metrics on the last axis."""
    return np.asarray(np.stack(columns, axis=-1) * np.array([sign(metric) for metric in metrics]))


def choose(
    values: Values, rule: str, objectives: Sequence[str], recorded: Sequence[str], candidates: Indices
) -> Choice | None:
    """Return the choice of a rule by the estimates, or None if no candidate has the metrics of the rule.

    Ties go to the better metric over all samples, then to the lower trial number.

    Args:
        values: Values of the study.
        rule: Name of the rule.
        objectives: Objectives of the study.
        recorded: Metrics that the study has recorded.
        candidates: Indices of the configurations to choose from.

    Raises:
        ValueError: If the rule is unknown.
    """
    metrics = metrics_of_rule(rule, objectives, recorded)
    scored = scores(values, metrics, candidates)
    if not len(scored.candidates):
        return None
    overall = values.of(metrics_of_rule(ALL, objectives, recorded)[0]).costs[scored.candidates]
    at = int(np.lexsort((scored.candidates, overall, scored.expected))[0])
    if any(values.of(metric).posterior is None for metric in metrics):
        return Choice(rule, int(scored.candidates[at]), np.nan, (), len(scored.candidates), len(scored.candidates))
    index = int(scored.candidates[at])
    near = values.contenders(candidates)
    compared = np.union1d(near[np.isin(near, scored.candidates)], index)
    samples = scored.samples_of(compared)
    place = int(np.searchsorted(compared, index))
    wins = np.bincount(samples.argmin(axis=1), minlength=len(compared)) / len(samples)
    better = (samples < samples[:, [place]]).mean(axis=0)
    rivals = [int(other) for other in np.argsort(-better, kind="stable") if better[other] > 1 - CONFIDENCE]
    others = tuple(int(compared[other]) for other in rivals if other != place)
    return Choice(rule, index, float(wins[place]), others, len(scored.candidates), len(compared))


def front_chances(values: Values, objectives: Sequence[str], candidates: Indices) -> Array:
    """Return the probability `(k,)` that each candidate is on the front of the true values.

    The metrics are sampled independently of each other. The probability is 0 for a candidate that lacks an objective or
    is not compared, see `Values.contenders`.
    """
    near = values.contenders(candidates)
    finite = np.all([np.isfinite(values.of(metric).costs[candidates]) for metric in objectives], axis=0)
    objectives = values.telling(objectives)
    samples = _costs(objectives, [values.of(metric).samples_of(near) for metric in objectives])
    samples[:, ~finite[np.searchsorted(candidates, near)]] = np.nan
    size = max(1, len(near)) ** 2 * len(objectives)
    draws = samples[: max(1, COMPARISONS // size)]
    chances = np.zeros(len(candidates))
    chances[np.searchsorted(candidates, near)] = on_front(draws).mean(axis=0)
    return chances


def within(values: Values, tolerances: Mapping[str, float], candidates: Indices) -> Indices:
    """Return the candidates whose estimate of each metric is within a tolerance of the best estimate.

    The best estimate of each metric is that of all candidates, so the order of the tolerances does not matter.

    Args:
        values: Values of the study.
        tolerances: Metric -> largest distance to the best estimate, as a share of its absolute value.
        candidates: Indices of the configurations to choose from.
    """
    kept = np.ones(len(candidates), dtype=bool)
    for metric, share in tolerances.items():
        costs = sign(metric) * values.of(metric).mean[candidates]
        best = np.min(costs, where=np.isfinite(costs), initial=np.inf)
        kept &= costs <= best + share * abs(best) if np.isfinite(best) else False
    return candidates[kept]
