"""Metrics: their computation, their directions, and the names of their columns. This file does not import torch.

To add a metric, write one function in this file and put `@_metric(...)` above it. Everything else follows from
`METRICS`: the names that a search may use, their directions, error messages, the JSON Schema, tables and reports.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from groupdir.bins import Values, as_array, finite_labels
from groupdir.shots import ALL, ALL_AND_SHOTS, SHOTS, STSB_SHOTS, ShotSplit

__all__ = [
    "ALL",
    "ALL_AND_SHOTS",
    "METRICS",
    "ORACLE",
    "SHOTS",
    "STSB_SHOTS",
    "Direction",
    "Metric",
    "MetricName",
    "ShotSplit",
    "better",
    "direction",
    "find_metric",
    "group_metrics",
    "metric_name",
    "parse_metric",
    "search_metrics",
    "searchable",
    "shot_metrics",
    "sign",
]

Array = npt.NDArray[Any]
Direction = Literal["min", "max"]

ORACLE = "oracle_"
"""Prefix of errors that were computed with the true group. They are a diagnostic, and no choice may depend on them."""

SMALLEST_ERROR = 1e-10
"""Lower bound of an absolute error in the geometric mean. With 0, one exact prediction makes the mean 0."""

_SPLITS = ("train", "val", "test")
_SEARCHED = "val"


@dataclass(frozen=True)
class Metric:
    """Metric of predictions and labels.

    Attributes:
        name: Name in columns and YAML files, such as "mae".
        direction: "min" if a lower value is better, "max" if a higher one is.
        text: Description.
        unit: Unit or range of the values.
        compute: Function of predictions and labels, both `(N,)` float64; or of predicted and true groups, both `(N,)`
            int64.
        compares: "values": there is a column for all samples and for each shot. "groups": there is one column, and the
            method must predict groups.
        samples: Smallest number of samples for which the metric is defined.
        title: Name in plots.
        heading: Name in tables of test results. Empty: the same as `title`.
        factor: Factor by which these tables multiply the value.
        digits: Number of decimals in these tables.
    """

    name: str
    direction: Direction
    text: str
    unit: str
    compute: Callable[[Array, Array], float]
    compares: Literal["values", "groups"] = "values"
    samples: int = 1
    title: str = ""
    heading: str = ""
    factor: float = 1.0
    digits: int = 2

    @property
    def best(self) -> str:
        """Adjective of the best value: "lowest" or "highest"."""
        return "lowest" if self.direction == "min" else "highest"

    @property
    def sign(self) -> float:
        """Factor that makes the value a cost: 1.0 if a lower value is better, -1.0 if a higher one is."""
        return 1.0 if self.direction == "min" else -1.0

    @property
    def shots(self) -> tuple[str | None, ...]:
        """Shots with a column, all samples first. A metric with a single column has only None."""
        return ALL_AND_SHOTS if self.compares == "values" else (None,)

    @property
    def columns(self) -> list[str]:
        """Names of the columns, without a split."""
        return [metric_name("", self.name, shot) for shot in self.shots]

    def of(self, first: Array, second: Array) -> float:
        """Return the value of the metric, or NaN for too few samples."""
        return self.compute(first, second) if len(second) >= self.samples else math.nan


METRICS: dict[str, Metric] = {}
"""All metrics by name."""


def _metric(
    name: str, direction: Direction, text: str, unit: str, **options: Any
) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Register a metric that the decorated function computes. The options are attributes of `Metric`."""

    def add(compute: Callable[..., float]) -> Callable[..., float]:
        METRICS[name] = Metric(name, direction, text, unit, compute, **{"title": name.upper(), **options})
        return compute

    return add


@_metric("mae", "min", "mean absolute error", "label units")
def mean_absolute_error(prediction: Array, y: Array) -> float:
    """Return the mean of |e|, with errors e = prediction - y."""
    return float(np.abs(prediction - y).mean())


@_metric("gm", "min", "geometric mean of the absolute errors", "label units")
def geometric_mean_error(prediction: Array, y: Array, smallest: float = SMALLEST_ERROR) -> float:
    """Return exp(mean log |e|).

    Args:
        prediction: Predictions `(N,)`.
        y: Labels `(N,)`.
        smallest: Lower bound of |e|; see `SMALLEST_ERROR`.
    """
    with np.errstate(divide="ignore"):  # log 0 is intended if `smallest` is 0
        return float(np.exp(np.log(np.maximum(np.abs(prediction - y), smallest)).mean()))


@_metric("mse", "min", "mean squared error", "squared label units", digits=3)
def mean_squared_error(prediction: Array, y: Array) -> float:
    """Return the mean of e^2, with errors e = prediction - y."""
    with np.errstate(over="ignore"):  # an infinite prediction has an infinite error
        return float(np.square(prediction - y).mean())


@_metric("bmae", "min", "balanced mean absolute error", "label units", title="bMAE")
def balanced_mean_absolute_error(prediction: Array, y: Array) -> float:
    """Return the mean over distinct labels of the mean |e| per label, so every label has the same weight."""
    _, label = np.unique(y, return_inverse=True)
    return float((np.bincount(label, np.abs(prediction - y)) / np.bincount(label)).mean())


@_metric(
    "pearson", "max", "Pearson correlation of predictions and labels", "from -1 to 1",
    samples=2, title="Pearson", heading="Pearson x 100", factor=100, digits=1,
)  # fmt: skip
def pearson_correlation(prediction: Array, y: Array) -> float:
    """Return the correlation, from -1 to 1, or NaN if predictions are not finite or one of the arrays is constant.

    The papers print 100 times the correlation.
    """
    if not np.isfinite(prediction).all() or np.ptp(prediction) == 0 or np.ptp(y) == 0:
        return math.nan
    a, b = ((values - values.mean()) / np.ptp(values) for values in (prediction, y))  # no square under- or overflows
    return float(np.clip(a @ b / math.sqrt((a @ a) * (b @ b)), -1, 1))


@_metric(
    "group_accuracy", "max", "share of samples whose group is predicted right", "from 0 to 1",
    compares="groups", title="group accuracy", heading="Group accuracy in %", factor=100, digits=1,
)  # fmt: skip
def group_accuracy(predicted: Array, true: Array) -> float:
    """Return the share of samples whose predicted group is the true one, from 0 to 1."""
    return float((predicted == true).mean())


def shot_metrics(pred: Values, y: Values, shots: ShotSplit) -> dict[str, float]:
    """Return the metrics of all samples and of each shot, summed in float64.

    Args:
        pred: Predictions `(N,)`, in label units. One that is NaN makes the metrics of its shots NaN.
        y: True labels `(N,)`.
        shots: Shots of the labels.

    Returns:
        `mae_all`, `mae_many`, `mae_median`, `mae_few`, and so on for every metric of `METRICS` that compares values.
        A shot without samples has NaN, and so has `pearson` for fewer than two samples or a constant.

    Raises:
        ValueError: On shapes that differ or are not (N,), and labels that are NaN or infinite.

    Source: Yang et al. 2021, `shot_metrics`; Ren et al. 2022 for `bmae`.

    Differences from the source: the published vision code gives GM 0 for one exact prediction, fails on an empty shot
    and sums in float32. `geometric_mean_error(..., smallest=0)` is the published GM.

    Example:
        >>> shots = ShotSplit.from_train([1.0] * 101)
        >>> metrics = shot_metrics([1.0, 4.0], [2.0, 2.0], shots)
        >>> metrics["mae_few"], metrics["mse_all"], metrics["mae_many"]
        (1.5, 2.5, nan)
    """
    predicted, truth = as_array(pred), finite_labels(y)
    if predicted.ndim != 1 or predicted.shape != truth.shape:
        raise ValueError(f"pred and y must have one shape (N,), got {predicted.shape} and {truth.shape}")
    if predicted.dtype.kind not in "iubf":
        raise ValueError(f"pred must hold real numbers, got an array of {predicted.dtype}")
    codes = shots.of(truth)
    pred64, true64 = predicted.astype(np.float64), truth.astype(np.float64)
    members = {ALL: np.ones(len(codes), dtype=bool)} | {name: codes == code for code, name in enumerate(SHOTS)}
    parts = {shot: (pred64[members[shot]], true64[members[shot]]) for shot in ALL_AND_SHOTS}
    return {
        f"{metric.name}_{shot}": metric.of(*parts[shot])
        for metric in METRICS.values()
        if metric.compares == "values"
        for shot in ALL_AND_SHOTS
    }


def group_metrics(predicted: Array, true: Array) -> dict[str, float]:
    """Return the metrics that compare predicted groups `(N,)` with true groups `(N,)`."""
    return {metric.name: metric.of(predicted, true) for metric in METRICS.values() if metric.compares == "groups"}


class MetricName(NamedTuple):
    """Parts of the name of a metric.

    Attributes:
        split: "train", "val" or "test"; empty if the name has no split.
        metric: The metric.
        shot: "all" or a shot; None for a metric with a single column.
        oracle: Whether the values were computed with the true group.
    """

    split: str
    metric: Metric
    shot: str | None
    oracle: bool = False


def metric_name(split: str, metric: str, shot: str | None = ALL) -> str:
    """Return the name of a column.

    >>> metric_name("val", "mae", "few"), metric_name("val", "group_accuracy", None)
    ('val_mae_few', 'val_group_accuracy')
    """
    return "_".join(part for part in (split, metric, shot) if part)


def find_metric(name: str) -> MetricName | None:
    """Return the parts of the name of a metric, or None if no metric has this name."""
    split, _, rest = name.partition("_")
    if split not in _SPLITS:
        split, rest = "", name
    rest, oracle = rest.removeprefix(ORACLE), rest.startswith(ORACLE)
    metric, shot = METRICS.get(rest), None
    if metric is None:
        base, _, shot = rest.rpartition("_")
        metric = METRICS.get(base)
    if metric is None or shot not in metric.shots:
        return None
    return MetricName(split, metric, shot, oracle)


def parse_metric(name: str) -> MetricName:
    """Return the parts of the name of a metric.

    Raises:
        ValueError: If no metric has this name.

    >>> parsed = parse_metric("val_mae_few")
    >>> parsed.split, parsed.metric.name, parsed.shot
    ('val', 'mae', 'few')
    """
    parsed = find_metric(name)
    if parsed is None:
        near = difflib.get_close_matches(name, search_metrics(), n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise ValueError(f"unknown metric '{name}': {hint}Known: {_known()}")
    return parsed


def search_metrics() -> list[str]:
    """Return the names of all metrics that a search may use.

    >>> search_metrics()[:2], search_metrics()[-1]
    (['val_mae_all', 'val_mae_many'], 'val_group_accuracy')
    """
    return [f"{_SEARCHED}_{column}" for metric in METRICS.values() for column in metric.columns]


def _known() -> str:
    """Return the names of `search_metrics` in a short form."""
    by_shot = ",".join(metric.name for metric in METRICS.values() if metric.compares == "values")
    others = [f", {_SEARCHED}_{metric.name}" for metric in METRICS.values() if metric.compares == "groups"]
    return f"{_SEARCHED}_{{{by_shot}}}_{{{','.join(ALL_AND_SHOTS)}}}{''.join(others)}"


def searchable(name: str) -> str:
    """Return the name of a metric if a search may use it.

    Raises:
        ValueError: If the metric reads the test set, uses the true group, or is unknown.
    """
    if "test_" in name:
        instead = f"{_SEARCHED}_{name.removeprefix('test_')}"
        raise ValueError(f"'{name}' reads the test set, which a search must not: use {instead}")
    if ORACLE in name:
        raise ValueError(f"'{name}' is a diagnostic that uses the true group: use {name.replace(ORACLE, '')}")
    if parse_metric(name).split != _SEARCHED:
        instead = f"{_SEARCHED}_{name.removeprefix('train_')}"
        raise ValueError(f"'{name}' is not a metric of the validation set: use {instead}")
    return name


def direction(name: str) -> Direction:
    """Return "min" if a lower value of a metric is better, "max" if a higher one is.

    >>> direction("val_mae_few"), direction("test_pearson_all")
    ('min', 'max')
    """
    return parse_metric(name).metric.direction


def sign(name: str) -> float:
    """Return the factor that makes a metric a cost: 1.0 if a lower value is better, -1.0 if a higher one is."""
    return parse_metric(name).metric.sign


def better(name: str, first: float, second: float) -> bool:
    """Return whether the first value of a metric is better than the second. NaN is worse than any number.

    >>> better("val_mae_all", 2.0, 3.0), better("val_pearson_all", 0.2, 0.3), better("val_mae_all", 2.0, math.nan)
    (True, False, True)
    """
    if math.isnan(first) or math.isnan(second):
        return not math.isnan(first)
    return sign(name) * (first - second) < 0
