"""Gain of a further training: the improvement of a choice that it is expected to give."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from groupdir.values.choice import Scores
from groupdir.values.values import Values

Array = npt.NDArray[np.float64]

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(31)
CONTENDERS = 64  # best candidates of a rule that are considered for a further training


def expected_gains(values: Values, scored: Scores, running: Mapping[int, int]) -> dict[int, float]:
    """Return the expected improvement of a rule's choice by one more training of each contender.

    The gain is the expected decrease of the score of the chosen configuration if the choice is made again after the
    training, in units of the standard deviation of one training. It is large where the present choice may be wrong and
    a training can show it. It is computed from a normal approximation of the posterior.

    Source: Frazier, Powell and Dayanik 2009, "The knowledge-gradient policy for correlated normal beliefs".

    Args:
        values: Values of the study, with a posterior of each metric of the rule.
        scored: Scores of the rule.
        running: Index of a configuration -> number of its running trainings. The covariance is what it will be when
            they have finished, so that parallel trainings do not all go to one configuration.

    Returns:
        Index of a configuration -> its gain, >= 0.
    """
    order = np.argsort(scored.expected, kind="stable")[:CONTENDERS]
    chosen, mean = scored.candidates[order], scored.expected[order]
    covariance = np.zeros((len(chosen), len(chosen)))
    noise = np.zeros(len(chosen))
    for metric, all_slopes in scored.slopes.items():
        slopes, one = all_slopes[order], values.of(metric)
        covariance += slopes[:, None] * slopes * one.covariance(chosen)
        noise += np.square(slopes * one.noise)
    noise = np.maximum(noise, 1e-12 * max(1.0, float(np.abs(covariance).max())))
    for at, index in enumerate(chosen):
        for _ in range(running.get(int(index), 0)):
            column = covariance[:, at] / np.sqrt(covariance[at, at] + noise[at])
            covariance = covariance - np.outer(column, column)
    unit = float(np.sqrt(noise.mean()))
    return {
        int(index): _gain(mean, covariance[:, at], covariance[at, at] + noise[at]) / unit
        for at, index in enumerate(chosen)
    }


def _gain(mean: Array, column: Array, variance: float) -> float:
    """Return the expected decrease of the lowest mean after a training.

    Args:
        mean: Posterior means `(K,)`.
        column: Covariances `(K,)` with the configuration of the training.
        variance: Variance of the result of the training, its noise included.
    """
    shift = column / np.sqrt(variance)
    lowest = np.min(mean[:, None] + shift[:, None] * NODES, axis=0)
    return max(0.0, float(mean.min() - lowest @ WEIGHTS / WEIGHTS.sum()))
