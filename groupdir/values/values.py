"""Values of a study's configurations: for each metric the estimate, its interval and joint samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from groupdir.config.domains import Domain
from groupdir.metrics import sign
from groupdir.objectives import telling
from groupdir.rules import RULES, metrics_of_rule
from groupdir.values.coordinates import Coordinates
from groupdir.values.fronts import on_front
from groupdir.values.kernels import Array, Indices
from groupdir.values.posterior import DRAWS, FEWEST, Posterior
from groupdir.values.trainings import Configuration

CONFIDENCE = 0.9
"""Share of the posterior that an interval holds."""

MOST = 300
"""Most configurations that are compared by joint samples. Of more, those nearest to the front are compared."""

OUTLIER = 7.0  # distances from the first quartile to the median, above the median, beyond which a cost is an outlier


@dataclass(frozen=True)
class Value:
    """Metric of a configuration, averaged over training seeds.

    Attributes:
        mean: Estimate. It equals `raw` where the study has too few trainings for an estimate.
        low: Lower end of the interval that holds the value with probability `CONFIDENCE`, NaN without an estimate.
        high: Upper end of that interval.
        raw: Mean of the trainings, as measured. The best raw value of many is too good on average.
        trainings: Number of trainings.
    """

    mean: float
    low: float
    high: float
    raw: float
    trainings: int


@dataclass(frozen=True)
class Values:
    """Values of all configurations that finished a training.

    Attributes:
        parameters: Domains of the search space by name.
        configurations: Configurations of the search, K in number.
        objectives: Objectives of the study. They decide which of more than `MOST` configurations are compared.
    """

    parameters: Mapping[str, Domain]
    configurations: Sequence[Configuration]
    objectives: Sequence[str] = ()
    _contenders: dict[bytes, Indices] = field(default_factory=dict, init=False, repr=False, compare=False)
    _metrics: dict[str, MetricValues] = field(default_factory=dict, repr=False, compare=False)

    def of(self, metric: str) -> MetricValues:
        """Return the values of a metric. They are computed once."""
        if metric not in self._metrics:
            self._metrics[metric] = MetricValues(metric, self._points, self.configurations)
        return self._metrics[metric]

    @cached_property
    def _points(self) -> Array:
        coordinates = Coordinates(self.parameters)
        points = [coordinates.features(each.params) for each in self.configurations]
        return np.stack(points) if points else np.empty((0, 0))

    @cached_property
    def trials(self) -> list[int]:
        """Number of the trial that stands for each configuration."""
        return [each.trial for each in self.configurations]

    @cached_property
    def recorded(self) -> list[str]:
        """Names of all metrics that any training has, sorted."""
        return sorted({name for each in self.configurations for one in each.trainings for name in one.metrics})

    def index(self, trial: int) -> int:
        """Return the index of the configuration that a trial stands for."""
        return self.trials.index(trial)

    def telling(self, metrics: Sequence[str]) -> list[str]:
        """Return the metrics that tell configurations apart, without constants and copies of an earlier one.

        They are judged by the raw values: estimates of two copies can differ, because errors are modelled by their
        roots.
        """
        if not metrics or not self.configurations:
            return list(metrics)
        raw = np.stack([sign(metric) * self.of(metric).raw for metric in metrics], axis=-1)
        return [metrics[column] for column in telling(raw)]

    def contenders(self, candidates: Indices) -> Indices:
        """Return the candidates that are compared by joint samples, ascending: all, or the `MOST` best of more.

        The candidates on the front of the estimates come first, then those with the best estimate of any metric that a
        rule reads. Every other candidate is worse than hundreds in each of these metrics.

        Args:
            candidates: Indices of configurations, ascending.
        """
        if len(candidates) <= MOST:
            return candidates
        key = candidates.tobytes()
        if key not in self._contenders:
            self._contenders[key] = self._nearest(candidates)
        return self._contenders[key]

    def _nearest(self, candidates: Indices) -> Indices:
        objectives = [metric for metric in self.objectives if metric in self.recorded] or self.recorded
        of_rules = {metric for rule in RULES for metric in metrics_of_rule(rule, objectives, self.recorded)}
        metrics = sorted(of_rules & {*self.recorded} | {*objectives})
        costs = np.stack([self.of(metric).costs[candidates] for metric in metrics], axis=-1)
        ranks = np.argsort(np.argsort(np.where(np.isnan(costs), np.inf, costs), axis=0, kind="stable"), axis=0)
        columns = [metrics.index(metric) for metric in self.telling(objectives)]
        front = on_front(costs[:, columns])
        order = np.lexsort((ranks.min(axis=1), ~front))
        return np.sort(candidates[order[:MOST]])

    def kept(self, keeps: Callable[[Callable[[str], float]], bool]) -> Indices:
        """Return the indices of the configurations whose estimates meet the constraints of a study.

        Args:
            keeps: `SearchConfig.keeps` of the study.
        """

        def estimates(index: int) -> Callable[[str], float]:
            return lambda metric: float(self.of(metric).mean[index])

        kept = [index for index in range(len(self.configurations)) if keeps(estimates(index))]
        return np.asarray(kept, dtype=np.int64)


class MetricValues:
    """Values of one metric.

    A metric to minimise whose values are all >= 0, as errors are, is modelled by its square root: the variance of an
    error over seeds grows about in proportion to the error, so that the variance of its root is about the same for all
    configurations.

    Args:
        metric: Name of the metric.
        points: Coordinates `(K, D)` of the configurations.
        configurations: The configurations, K in number.
    """

    def __init__(self, metric: str, points: Array, configurations: Sequence[Configuration]) -> None:
        self.metric = metric
        self.raw = np.array([each.raw(metric) for each in configurations])
        pairs = [
            (index, training.metrics.get(metric, np.nan))
            for index, each in enumerate(configurations)
            for training in each.trainings
        ]
        which = np.array([index for index, _ in pairs], dtype=np.int64)
        values = np.array([value for _, value in pairs], dtype=np.float64)
        finite = np.isfinite(values)
        which, values = which[finite], values[finite]
        self.trainings = np.bincount(which, minlength=len(configurations))
        self._sign = sign(metric)
        self._scale = float(np.abs(values).max(initial=0.0))
        self._root = bool(self._sign > 0 and len(values) and values.min() >= 0)
        self.known = np.flatnonzero(self.trainings)
        self.posterior: Posterior | None = None
        self._sampled: dict[bytes, tuple[Indices, Array]] = {}  # of the last comparison
        self._excess = np.zeros(len(self.known))
        if len(values) >= FEWEST:
            inside = np.searchsorted(self.known, which)
            costs = np.sqrt(values) if self._root else self._sign * values
            cut = np.minimum(costs, _highest_usual(costs))
            np.add.at(self._excess, inside, (costs - cut) / self.trainings[self.known][inside])
            self.posterior = Posterior(points[self.known], inside, cut)

    @property
    def noise(self) -> float:
        """Standard deviation of one training seed on the scale of `costs`, NaN without a posterior."""
        return float(np.sqrt(self.posterior.noise)) if self.posterior else np.nan

    @cached_property
    def costs(self) -> Array:
        """Posterior means `(K,)` on the scale of the model, lower is better; NaN for a configuration without a value.

        Without a posterior they follow from the raw values.
        """
        if self.posterior is None:
            return np.asarray(np.sqrt(self.raw) if self._root else self._sign * self.raw)
        costs = np.full(len(self.raw), np.nan)
        costs[self.known] = _rounded(self.posterior.mean + self._excess)
        return costs

    @cached_property
    def mean(self) -> Array:
        """Estimates `(K,)` in the units of the metric."""
        return self.raw if self.posterior is None else self._in_units(self.costs)

    @property
    def samples(self) -> Array:
        """Joint posterior samples `(DRAWS, K)` in the units of the metric. See `samples_of`."""
        return self.samples_of(np.arange(len(self.raw)))

    def samples_of(self, chosen: Indices) -> Array:
        """Return joint posterior samples `(DRAWS, k)` of some configurations, in the units of the metric.

        Up to `MOST` configurations are always sampled together, so that a configuration has the same samples in every
        comparison. Without a posterior all samples are the raw values.

        Args:
            chosen: Indices of the configurations, ascending.
        """
        if self.posterior is None:
            return np.broadcast_to(self.raw[chosen], (DRAWS, len(chosen)))
        if len(self.raw) <= MOST and len(chosen) < len(self.raw):
            return self.samples[:, chosen]
        key = chosen.tobytes()
        if key not in self._sampled:
            self._sampled = {key: (chosen, self._sample(self.posterior, chosen))}
        return self._sampled[key][1]

    def _sample(self, posterior: Posterior, chosen: Indices) -> Array:
        samples = np.full((DRAWS, len(chosen)), np.nan)
        known = np.flatnonzero(self.trainings[chosen])
        inside = np.searchsorted(self.known, chosen[known])
        samples[:, known] = self._in_units(posterior.samples(chosen=inside) + self._excess[inside])
        return samples

    @cached_property
    def interval(self) -> tuple[Array, Array]:
        """Ends `(K,)` of the intervals of all configurations. See `interval_of`."""
        return self.interval_of(np.arange(len(self.raw)))

    def interval_of(self, chosen: Indices) -> tuple[Array, Array]:
        """Return the ends `(k,)` of the intervals that hold the true values with probability `CONFIDENCE`.

        Args:
            chosen: Indices of the configurations, ascending.
        """
        if self.posterior is None:
            return np.full(len(chosen), np.nan), np.full(len(chosen), np.nan)
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(self.samples_of(chosen), [tail, 1 - tail], axis=0)
        return low, high

    def value(self, index: int) -> Value:
        """Return the value of one configuration."""
        low, high = self._ends(index)
        return Value(float(self.mean[index]), low, high, float(self.raw[index]), int(self.trainings[index]))

    def _ends(self, index: int) -> tuple[float, float]:
        """Return the interval of one configuration, from the samples of the last comparison if it was part of it."""
        if len(self.raw) <= MOST:
            low, high = self.interval
            return float(low[index]), float(high[index])
        for compared, samples in self._sampled.values():
            if index in compared:
                tail = (1 - CONFIDENCE) / 2
                ends = np.quantile(samples[:, np.searchsorted(compared, index)], [tail, 1 - tail])
                return float(ends[0]), float(ends[1])
        low, high = self.interval_of(np.array([index]))
        return float(low[0]), float(high[0])

    def slope(self) -> Array:
        """Return the derivative `(K,)` of the metric times its sign with respect to `costs`."""
        return 2.0 * np.sqrt(np.abs(self.mean)) if self._root else np.ones(len(self.raw))

    def covariance(self, chosen: Indices) -> Array:
        """Return the posterior covariance of the costs of some configurations, which all have a value."""
        assert self.posterior is not None
        return self.posterior.covariance(np.searchsorted(self.known, chosen))

    def _in_units(self, costs: Array) -> Array:
        """Return values in the units of the metric. The mean of squares is the square of the mean plus the variance.

        Rounding errors of the model are removed: trainings that are all 0 have the estimate 0.
        """
        assert self.posterior is not None
        if not self._root:
            return _rounded(self._sign * costs, self._scale)
        return _rounded(np.square(np.maximum(costs, 0.0)) + self.posterior.noise, self._scale)


def _rounded(values: Array, scale: float | None = None) -> Array:
    """Return values in 12 digits, so that rounding errors of the model do not decide between equal configurations.

    Args:
        values: The values.
        scale: Largest size of the trainings behind the values; None for that of the values.
    """
    if scale is None:
        scale = float(np.abs(values).max(initial=0.0))
    return np.asarray(np.round(values / scale, 12) * scale + 0.0) if scale else np.zeros_like(values)


def _highest_usual(costs: Array) -> float:
    """Return the cost above which a training is an outlier, such as one that diverged.

    The part of a cost above it says nothing about other configurations, so the model does not see that part. Only the
    better half decides, because a large share of the trainings may have diverged. For symmetric costs the limit is
    three interquartile ranges above the third quartile.
    """
    low, middle = np.quantile(costs, [0.25, 0.5])
    return float(middle + OUTLIER * (middle - low))
