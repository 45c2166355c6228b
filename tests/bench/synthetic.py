"""A synthetic source of trainings: additive errors whose front is known exactly, and rates that depend on the trial.

Each of three errors is a base, plus a sum of squares of the distances of the parameters from a best place of its own,
plus what the categories cost. As the squares have equal weights in all errors and the best category of all errors is
the same, the best trade-offs are the weighted means of the best places, in the best category. A training falls to its
errors exponentially: slowly where the learning rate is low and the temperature high, so that the first epochs favour
other configurations than the last. A seed moves a whole training and each of its epochs.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from groupdir.config.space import StudyConfig
from groupdir.study.state import key_of
from groupdir.values.coordinates import share
from launch.simulation.surrogate import Drawn, reported_by

EPOCHS = 30
BASES = (3.0, 5.0, 8.0)
SCALES = (4.0, 6.0, 10.0)  # of the sums of squares
HEIGHTS = (8.0, 12.0, 16.0)  # above its end at which a training begins
OFFSET, JITTER = 0.02, 0.02  # noise of a training and of an epoch, as shares of the error
SHARES = (0.6, 0.25, 0.15)  # of the samples with many, median and few labels
NAMES = ("val_mae_many", "val_mae_median", "val_mae_few")
CONTENT: dict[str, Any] = {
    "name": "synthetic",
    "data": {"name": "digits"},
    "encoder": {"name": "mlp", "dropout": {"uniform": [0.0, 0.5]}},
    "method": {
        "name": "group_dir",
        "recipe": "joint",
        "groups": 10,
        "beta": {"log_uniform": [0.25, 4]},
        "similarity": {"choice": ["cosine", "negative_l2"]},
        "temperature": {
            "by": "method.similarity",
            "cases": {"cosine": {"log_uniform": [0.1, 2]}, "negative_l2": {"log_uniform": [1, 5]}},
        },
        "lambda_mse": {"log_uniform": [0.2, 5]},
        "lambda_soft": {"log_uniform": [0.2, 5]},
        "routing": {"choice": ["hard", "soft"]},
    },
    "optim": {"name": "adam", "lr": {"log_uniform": [0.0003, 0.03]}},
    "train": {"epochs": EPOCHS, "batch_size": 128},
    "search": {"objectives": dict.fromkeys(NAMES, "min"), "trials": 28},
}
PLACES: dict[str, tuple[float, float, float]] = {  # the best place of each error, from 0 to 1 on the parameter's scale
    "encoder.dropout": (0.2, 0.5, 0.7),
    "method.beta": (0.8, 0.3, 0.4),
    "method.temperature|cosine": (0.3, 0.6, 0.9),
    "method.temperature|negative_l2": (0.5, 0.2, 0.7),
    "method.lambda_mse": (0.7, 0.6, 0.2),
    "method.lambda_soft": (0.1, 0.4, 0.8),
    "optim.lr": (0.6, 0.5, 0.4),
}
COSTS: dict[str, dict[str, float]] = {  # what a category adds, before the scale
    "method.similarity": {"cosine": 0.0, "negative_l2": 0.08},
    "method.routing": {"hard": 0.1, "soft": 0.0},
}


class Synthetic:
    """Source of such trainings (`launch.simulation.surrogate.Source`)."""

    name = "synthetic, additive, known front"

    def __init__(self) -> None:
        self.config = StudyConfig.from_dict(CONTENT, "synthetic")
        self._places = np.asarray([PLACES[name] for name in PLACES if name != "method.temperature|negative_l2"])

    def draw(self, params: Mapping[str, Any], rng: np.random.Generator, used: Collection[Any] = ()) -> Drawn:
        """Return a training of a configuration with noise of its own."""
        shares = self._shares(params)
        ends = self.ends(params)
        rate = 0.06 + 0.25 * shares["optim.lr"] * (1.5 - self._temperature(shares))
        epochs = np.arange(1, EPOCHS + 1)
        left = (np.exp(-rate * epochs) - np.exp(-rate * EPOCHS)) / (1 - np.exp(-rate * EPOCHS))
        rng = np.random.default_rng([int(rng.integers(2**31)), zlib.crc32(key_of(params).encode())])
        noise = OFFSET * rng.standard_normal((1, 3)) + JITTER * _smooth(rng.standard_normal((EPOCHS, 3)))
        errors = (ends + left[:, None] * np.asarray(HEIGHTS)) * np.exp(noise)
        common = {"stage": "fit", "seconds": 1.0}
        rows = [
            common | dict(zip(NAMES, map(float, line), strict=True)) | {"val_mae_all": float(line @ SHARES)}
            for line in errors
        ]
        return Drawn(rows, tuple(map(float, ends)), reported_by(rows, "val_mae_all", NAMES))

    def ends(self, params: Mapping[str, Any]) -> npt.NDArray[np.float64]:
        """Return the three errors of a configuration without noise."""
        shares = self._shares(params)
        squares = sum(np.square(at - np.asarray(PLACES[name])) for name, at in shares.items())
        costs = sum(cost[params[name]] for name, cost in COSTS.items())
        return np.asarray(BASES) + np.asarray(SCALES) * (squares + costs)

    def known(self) -> list[tuple[float, ...]]:
        """Return the errors of many weighted means of the best places, which are the front."""
        weights = np.random.default_rng(0).dirichlet(np.full(3, 0.7), 8192)
        at = weights @ self._places.T  # (8192, parameters)
        squares = np.square(at[:, :, None] - self._places[None]).sum(axis=1)
        return [tuple(map(float, row)) for row in np.asarray(BASES) + np.asarray(SCALES) * squares]

    def _shares(self, params: Mapping[str, Any]) -> dict[str, float]:
        parameters = self.config.space.parameters
        return {name: share(parameters[name], params[name]) for name in PLACES if name in params}

    def _temperature(self, shares: Mapping[str, float]) -> float:
        return next(at for name, at in shares.items() if name.startswith("method.temperature"))


def _smooth(noise: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return noise `(epochs, 3)` in which neighbouring epochs are alike, of the same variance."""
    before = np.concatenate([noise[:1], noise[:-1]])
    return (noise + before) / np.sqrt(2)
