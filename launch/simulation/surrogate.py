"""Sources of simulated trainings: the nearest recorded curve, or a curve interpolated between the recorded ones."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from groupdir.metrics import sign
from groupdir.study.state import key_of, selected
from launch.sampling.design import design
from launch.simulation.curves import Curves
from launch.simulation.process import Array, Process

Rows = Sequence[Mapping[str, Any]]
COMPONENTS = 8  # principal components of the curves: more did not predict held-out configurations better
SAMPLES = 8192  # points of the space from which the best known front is computed


@dataclass(frozen=True)
class Drawn:
    """Simulated training.

    Attributes:
        rows: `stage`, `seconds` and the metrics of each epoch that predicts. They include the noise of one seed, and a
            simulated search sees only them.
        values: Objectives of the configuration without the noise of a seed. The result of a search is judged by them.
        reported: Objectives that the finished training reports, at its selected epoch.
        recorded: Indices of the recorded configuration and of its training that was replayed; None for a model.
    """

    rows: Rows
    values: tuple[float, ...]
    reported: tuple[float, ...]
    recorded: tuple[int, int] | None = None


class Source(Protocol):
    """Source of simulated trainings."""

    name: str

    def draw(self, params: Mapping[str, Any], rng: np.random.Generator, used: Collection[Any] = ()) -> Drawn:
        """Return a simulated training of a configuration, with random noise as a new seed would give.

        Args:
            params: Parameters of the configuration.
            rng: Random generator.
            used: `Drawn.recorded` of the earlier trainings. A further training of a configuration replays another one.
        """
        ...

    def known(self) -> list[tuple[float, ...]]:
        """Return the noise-free objectives of many configurations. Their front is the best known front."""
        ...


class Nearest:
    """Source that replays a recorded curve of the configuration nearest to the requested one, of a random seed.

    The noise-free objectives of a configuration are the means over its recorded seeds.

    Args:
        curves: Recorded curves.
        metric: Name of the metric whose best value selects the epoch of a trial.
    """

    name = "nearest recorded configuration"

    def __init__(self, curves: Curves, metric: str = "val_mae_all") -> None:
        self._curves, self._metric = curves, metric
        self._values = [curves.values(index, metric) for index in range(len(curves.params))]

    def draw(self, params: Mapping[str, Any], rng: np.random.Generator, used: Collection[Any] = ()) -> Drawn:
        """Return a recorded training of the nearest configuration. See `Source.draw`.

        A training is replayed twice only after all recorded trainings of its configuration were replayed.
        """
        index = self._curves.nearest(params)
        seeds = self._curves.curves[index]
        free = [seed for seed in range(len(seeds)) if (index, seed) not in used] or list(range(len(seeds)))
        seed = free[int(rng.integers(len(free)))]
        rows = seeds[seed].rows
        reported = reported_by(rows, self._metric, self._curves.config.search.objectives)
        return Drawn(rows, self._values[index], reported, (index, seed))

    def known(self) -> list[tuple[float, ...]]:
        """Return the objectives of all recorded configurations. See `Source.known`."""
        return list(self._values)


class Interpolated:
    """Source that predicts the mean curve by Gaussian processes and takes the noise from pairs of recorded seeds.

    The logarithms of the recorded curves are reduced to their first principal components. A metric that is best at its
    highest value, such as a correlation, may be negative and is used without a logarithm. Each component has its own
    Gaussian process over the parameters (Matern 5/2, one length scale per coordinate). The processes fit a noise term
    too, so that a lucky recorded seed does not shift the mean. The noise of a training is the difference between the
    first two recorded seeds of a random configuration, divided by sqrt(2) to have the variance of one seed, with a
    random sign. The whole curve of differences is used, so the noise of neighbouring epochs is correlated as in a real
    training. Trials with one seed but different parameters have different noise. Every epoch takes the median of the
    recorded seconds.

    Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", chapters 2 and 5 (scikit-learn); the
    idea of a surrogate benchmark: Eggensperger et al. 2015, "Efficient benchmarking of hyperparameter optimizers via
    surrogates".

    Args:
        curves: Recorded curves, all of one length. At least one configuration has two seeds.
        metric: Name of the metric whose best value selects the epoch of a trial.

    Attributes:
        explained: For each objective, the share of its variance over configurations at the last epoch that the
            processes explain (R^2 on the scale of the processes), when each is predicted from all others.

    Raises:
        ValueError: If the curves differ in length, or no configuration has two seeds.
    """

    name = "interpolating surrogate (Gaussian processes, noise of recorded seeds)"

    def __init__(self, curves: Curves, metric: str = "val_mae_all") -> None:
        lengths = {len(curve.rows) for seeds in curves.curves for curve in seeds}
        if len(lengths) != 1:
            raise ValueError(
                f"all curves must have the same number of epochs to be interpolated, got {sorted(lengths)}"
            )
        self._curves, self._metric = curves, metric
        self._names = sorted({metric, *curves.config.search.objectives})
        blocks = [np.stack([self._block(curve.rows) for curve in seeds]) for seeds in curves.curves]
        pairs = [block for block in blocks if len(block) > 1]
        if not pairs:
            raise ValueError(
                "at least one configuration must have curves of two seeds, because the noise is estimated from them"
            )
        differences = np.stack([(block[0] - block[1]) / np.sqrt(2.0) for block in pairs])
        self._noise = np.concatenate([differences, -differences])
        self._shape = blocks[0].shape[1:]
        seconds = [row["seconds"] for seeds in curves.curves for curve in seeds for row in curve.rows]
        self._seconds = float(np.median(seconds))
        means = np.stack([block.mean(axis=0) for block in blocks])
        self._logged = np.array([sign(name) > 0 for name in self._names]) & (means > 0).all(axis=(0, 1))
        with np.errstate(divide="ignore", invalid="ignore"):  # of the values that are not taken
            targets = np.where(self._logged, np.log(means), means).reshape(len(means), -1)
        self._centre = targets.mean(axis=0)
        scores, sizes, directions = np.linalg.svd(targets - self._centre, full_matrices=False)
        count = int(min(COMPONENTS, max(1, np.sum(sizes > 1e-9 * sizes[0]))))
        self._directions = directions[:count]
        points = np.stack([curves.features(params) for params in curves.params])
        self._processes = [Process(points, column) for column in (scores * sizes)[:, :count].T]
        self.explained = self._explained(targets)

    def draw(self, params: Mapping[str, Any], rng: np.random.Generator, used: Collection[Any] = ()) -> Drawn:
        """Return the predicted mean curve plus recorded noise, an error at least 5 % of its mean. See `Source.draw`."""
        mean = self._mean(self._curves.features(params)[None])[0]
        index = int(rng.integers(len(self._noise))) + zlib.crc32(key_of(params).encode())
        noisy = mean + self._noise[index % len(self._noise)]
        noisy = np.where(self._logged, np.maximum(noisy, 0.05 * mean), noisy)
        return Drawn(self._rows(noisy), self._objectives(mean), self._objectives(noisy))

    def known(self) -> list[tuple[float, ...]]:
        """Return the objectives of a quasi-random design over the whole space. See `Source.known`."""
        space = self._curves.config.space
        drawn = [self._curves.features(point) for point in design(space, 0, SAMPLES)]
        return [self._objectives(mean) for mean in self._mean(np.stack(drawn))]

    def _mean(self, points: Array) -> Array:
        """Return the mean curves `(N, epochs, names)` at points `(N, D)`."""
        scores = np.stack([process.predict(points) for process in self._processes], axis=1)
        curves = (self._centre + scores @ self._directions).reshape(-1, *self._shape)
        return np.asarray(np.where(self._logged, np.exp(np.where(self._logged, curves, 0.0)), curves))

    def _explained(self, targets: Array) -> dict[str, float]:
        """Return `explained` for the logarithms `(configurations, epochs * names)` of the mean recorded curves."""
        left_out = np.stack([process.left_out() for process in self._processes], axis=1)
        errors = (targets - self._centre - left_out @ self._directions).reshape(-1, *self._shape)[:, -1]
        share = 1 - np.square(errors).mean(axis=0) / targets.reshape(-1, *self._shape)[:, -1].var(axis=0)
        return {name: float(share[self._names.index(name)]) for name in self._curves.config.search.objectives}

    def _block(self, rows: Rows) -> Array:
        """Return the metrics of the rows of a curve as an array `(epochs, names)`."""
        return np.asarray([[float(row[name]) for name in self._names] for row in rows])

    def _rows(self, block: Array) -> Rows:
        """Return the rows of a curve whose metrics are `(epochs, names)`."""
        common = {"stage": "fit", "seconds": self._seconds}
        return [common | dict(zip(self._names, map(float, line), strict=True)) for line in block]

    def _objectives(self, mean: Array) -> tuple[float, ...]:
        """Return the objectives at the epoch of a mean curve `(epochs, names)` that represents the trial."""
        return reported_by(self._rows(mean), self._metric, self._curves.config.search.objectives)


def reported_by(rows: Rows, metric: str, objectives: Iterable[str]) -> tuple[float, ...]:
    """Return the objectives of a finished training at the epoch that `metric` selects."""
    best = selected(rows, "best", metric)
    return tuple(float(best[name]) for name in objectives)
