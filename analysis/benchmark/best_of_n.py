"""Expected result of a search with fewer trials, from the trials of the searches of a benchmark."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.intervals import half_width
from groupdir.files.benchmark_record import BenchmarkRecord
from groupdir.metrics import sign

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BestOfN:
    """Expected best value of a row by the number of trials.

    Attributes:
        row: Label of the row.
        metric: Metric that selects the trials, such as `val_mae_all`.
        blocks: Number of blocks with finished trials.
        values: `(N,)`, the expected best value of 1 to N trials, as the mean over blocks.
        half_widths: `(N,)`, half the width of its 95 % interval over blocks; NaN with one block.
    """

    row: str
    metric: str
    blocks: int
    values: Array
    half_widths: Array


def expected_best(costs: npt.ArrayLike) -> Array:
    """Return `(N,)` the expected lowest of n costs that are drawn without replacement, for n = 1 to N.

    With the N costs in ascending order, the i-th is the lowest of n in C(N - i, n - 1) of C(N, n) draws. The estimator
    is unbiased for independent trials, as of a random search. The trials of a model-based sampler depend on one
    another; the curve then describes draws from the trials of this search.

    Args:
        costs: `(N,)`, finite. Lower is better.

    Source: Tang et al. 2020, "Showing Your Work Doesn't Always Work", section 3. The estimator of Dodge et al. 2019,
    which draws with replacement, is biased towards high costs.

    Example:
        >>> expected_best([3.0, 1.0, 2.0]).round(3).tolist()
        [2.0, 1.333, 1.0]
    """
    ordered = np.sort(np.asarray(costs, dtype=np.float64))
    count = len(ordered)
    place, size = np.arange(1, count + 1), np.arange(1, count + 1)[:, None]
    later = count - place  # costs that are not lower
    possible = later >= size - 1
    log_share = (
        _log_choose(later, np.minimum(size - 1, later)) - _log_choose(np.full_like(size, count), size)
    )  # fmt: skip
    return np.where(possible, np.exp(log_share), 0.0) @ ordered


def _log_choose(total: npt.NDArray[np.int_], chosen: npt.NDArray[np.int_]) -> Array:
    """Return log C(total, chosen), which does not overflow for hundreds of trials."""
    log_factorial = special.gammaln
    value = log_factorial(total + 1.0) - log_factorial(chosen + 1.0) - log_factorial(total - chosen + 1.0)
    return np.asarray(value, dtype=np.float64)


def best_of_n(record: BenchmarkRecord) -> list[BestOfN]:
    """Return the curve of each row whose search has finished trials.

    A curve ends at the smallest number of finished trials of its blocks.
    """
    metric = str(record.content["benchmark"]["select"])
    curves = []
    for row in record.content["rows"]:
        blocks: dict[int, list[float]] = {}
        for trial in record.trials:
            value = trial.get(metric)
            ended = trial["role"] == "search" and trial["status"] == "finished"
            if trial["row"] == row["label"] and ended and value is not None and math.isfinite(value):
                blocks.setdefault(trial["block"], []).append(sign(metric) * value)
        if not blocks:
            continue
        length = min(map(len, blocks.values()))
        lines = sign(metric) * np.stack([expected_best(costs)[:length] for costs in blocks.values()])
        curves.append(BestOfN(row["label"], metric, len(blocks), lines.mean(axis=0), half_width(lines)))
    return curves
