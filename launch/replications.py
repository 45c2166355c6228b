"""Replications of a benchmark that show a given difference between two rows, from the noise between blocks."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from groupdir.errors import ConfigError

ALPHA = 0.05
"""Probability that two rows of equal methods are called different."""

POWER = 0.8
"""Probability that the detectable difference, if it is the true one, is shown."""

MOST_REPLICATIONS = 10_000


def noise_between_blocks(values: npt.NDArray[np.float64]) -> float:
    """Return the standard deviation of a row between blocks, without what a block does to all rows alike.

    It is the residual of a two-way analysis of variance (rows, blocks), with (B - 1)(K - 1) degrees of freedom.

    Args:
        values: `(B, K)`, the result of K rows in B blocks, both at least 2.
    """
    blocks, rows = values.shape
    residual = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    return math.sqrt(float(np.square(residual).sum()) / ((blocks - 1) * (rows - 1)))


def power_of(difference: float, noise: float, replications: int) -> float:
    """Return the probability that a true difference between two rows is shown.

    The rows are compared by a two-sided paired t-test over R blocks at level `ALPHA`. With a true difference d and the
    noise s of a row, the test statistic has a noncentral t distribution with R - 1 degrees of freedom and noncentrality
    d / (s sqrt(2 / R)). It is the power for two rows alone; more rows in the table lower it a little.

    Source: Cohen 1988, "Statistical Power Analysis for the Behavioral Sciences", chapter 2 (there by tables).

    >>> round(power_of(0.3, 0.183, 5), 2), round(power_of(0.0, 0.183, 5), 2)
    (0.5, 0.05)
    """
    degrees = replications - 1
    shift = difference / (noise * math.sqrt(2 / replications))
    critical = float(stats.t.ppf(1 - ALPHA / 2, degrees))
    upper, lower = stats.nct.sf(critical, degrees, shift), stats.nct.cdf(-critical, degrees, shift)
    return float(upper) + (float(lower) if math.isfinite(float(lower)) else 0.0)


def least_significant_difference(noise: float, replications: int) -> float:
    """Return how far apart the means of two rows over R blocks must be to be called different at level `ALPHA`.

    A true difference of this size is shown with a probability of about one half; see `detectable_difference`.

    Source: Fisher 1935, "The Design of Experiments": t s sqrt(2 / R), here with the R - 1 degrees of freedom of a
    paired test.

    >>> round(least_significant_difference(0.183, 5), 2), round(least_significant_difference(0.183, 11), 2)
    (0.32, 0.17)
    """
    return float(stats.t.ppf(1 - ALPHA / 2, replications - 1)) * noise * math.sqrt(2 / replications)


def detectable_difference(noise: float, replications: int) -> float:
    """Return the true difference between two rows that R blocks show with probability `POWER`; see `power_of`.

    >>> round(detectable_difference(0.183, 5), 2), round(detectable_difference(0.183, 11), 2)
    (0.44, 0.24)
    """
    if noise == 0:
        return 0.0
    high = noise * math.sqrt(2 / replications)
    while power_of(high, noise, replications) < POWER:
        high *= 2
    return float(optimize.brentq(lambda each: power_of(each, noise, replications) - POWER, 0.0, high))


def replications_for(difference: float, noise: float) -> int:
    """Return the smallest number of blocks that show a true difference between two rows with probability `POWER`.

    Raises:
        ConfigError: If more than `MOST_REPLICATIONS` blocks are needed.

    >>> replications_for(0.3, 0.183), replications_for(0.2, 0.183)
    (8, 16)
    """
    if detectable_difference(noise, MOST_REPLICATIONS) > difference:
        raise ConfigError(
            f"--detect {difference:g}: needs more than {MOST_REPLICATIONS:,} replications, because the noise between "
            f"blocks is {noise:.3g}: give a larger difference"
        )
    low, high = 1, MOST_REPLICATIONS  # one block is too few, `high` are enough
    while high - low > 1:
        middle = (low + high) // 2
        enough = detectable_difference(noise, middle) <= difference
        low, high = (low, middle) if enough else (middle, high)
    return high
