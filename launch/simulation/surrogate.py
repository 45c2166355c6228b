"""What a simulated trial reports, from recorded curves: the nearest one, or one between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from groupdir.study.state import selected
from launch.sampling.design import design
from launch.sampling.process import Array, Process
from launch.simulation.curves import Curves

Rows = Sequence[Mapping[str, Any]]
COMPONENTS = 8  # of the curves; more did not predict configurations better that were held out
SAMPLES = 8192  # points of the space that the best known front is taken from


@dataclass(frozen=True)
class Drawn:
    """A simulated training.

    Attributes:
        rows: What it reports: `stage`, `seconds` and the metrics of each epoch.
        values: Its objectives without the luck of a seed, by which a search is judged.
    """

    rows: Rows
    values: tuple[float, ...]


class Source(Protocol):
    """Where simulated trainings come from."""

    name: str

    def draw(self, params: Mapping[str, Any], rng: np.random.Generator) -> Drawn:
        """A training with these parameters and a seed of its own."""
        ...

    def known(self) -> list[tuple[float, ...]]:
        """Objectives without luck of many configurations: the best of them is what a search is measured by."""
        ...


class Nearest:
    """Every training is that of the nearest recorded configuration, with one of its seeds.

    Args:
        curves: All that is recorded.
        metric: The one whose lowest value selects a trial's epoch.
    """

    name = "nearest recorded configuration"

    def __init__(self, curves: Curves, metric: str = "val_mae_all") -> None:
        self._curves = curves
        self._values = [curves.values(index, metric) for index in range(len(curves.params))]

    def draw(self, params: Mapping[str, Any], rng: np.random.Generator) -> Drawn:
        """See `Source.draw`."""
        index = self._curves.nearest(params)
        seeds = self._curves.curves[index]
        return Drawn(seeds[int(rng.integers(len(seeds)))].rows, self._values[index])

    def known(self) -> list[tuple[float, ...]]:
        """See `Source.known`."""
        return list(self._values)


class Interpolated:
    """Gaussian processes give the mean curve; the difference of two recorded seeds gives the noise around it.

    The logarithms of the recorded curves are reduced to their first principal components, each of which has a process
    of its own over the parameters (Matern 5/2, a length scale for each coordinate, noise that is fitted too: the luck
    of a recorded configuration is no discovery). Noise of an epoch goes with that of its neighbours, as a seed's does:
    it is a recorded pair's whole difference, halved in variance.

    Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", chapters 2 and 5 (scikit-learn); the
    idea of a surrogate benchmark: Eggensperger et al. 2015, "Efficient benchmarking of hyperparameter optimizers via
    surrogates".

    Args:
        curves: All that is recorded; all of one length, at least one configuration with two seeds.
        metric: The one whose lowest value selects a trial's epoch.

    Attributes:
        explained: Objective -> share of its variance at the last epoch that the processes explain, each configuration
            predicted without itself.

    Raises:
        ValueError: The curves differ in length, or none has two seeds.
    """

    name = "interpolating surrogate (Gaussian processes, noise of recorded seeds)"

    def __init__(self, curves: Curves, metric: str = "val_mae_all") -> None:
        lengths = {len(curve.rows) for seeds in curves.curves for curve in seeds}
        if len(lengths) != 1:
            raise ValueError(f"curves must be of one length to be interpolated, got {sorted(lengths)}")
        self._curves, self._metric = curves, metric
        self._names = sorted({metric, *curves.config.search.objectives})
        blocks = [np.stack([self._block(curve.rows) for curve in seeds]) for seeds in curves.curves]
        pairs = [block for block in blocks if len(block) > 1]
        if not pairs:
            raise ValueError("curves must have two seeds of at least one configuration, for the noise between them")
        half = np.stack([(block[0] - block[1]) / np.sqrt(2.0) for block in pairs])
        self._noise = np.concatenate([half, -half])
        self._shape = blocks[0].shape[1:]
        seconds = [row["seconds"] for seeds in curves.curves for curve in seeds for row in curve.rows]
        self._seconds = float(np.median(seconds))
        targets = np.log(np.stack([block.mean(axis=0).ravel() for block in blocks]))
        self._centre = targets.mean(axis=0)
        left, sizes, directions = np.linalg.svd(targets - self._centre, full_matrices=False)
        count = int(min(COMPONENTS, max(1, np.sum(sizes > 1e-9 * sizes[0]))))
        self._directions = directions[:count]
        points = np.stack([curves.features(params) for params in curves.params])
        self._processes = [Process(points, column) for column in (left * sizes)[:, :count].T]
        self.explained = self._explained(targets)

    def draw(self, params: Mapping[str, Any], rng: np.random.Generator) -> Drawn:
        """See `Source.draw`."""
        mean = self._mean(self._curves.features(params)[None])[0]
        noisy = np.maximum(mean + self._noise[int(rng.integers(len(self._noise)))], 0.05 * mean)
        return Drawn(self._rows(noisy), self._objectives(mean))

    def known(self) -> list[tuple[float, ...]]:
        """Those of a quasi-random design over the whole space."""
        space = self._curves.config.space
        drawn = [self._curves.features(point) for point in design(space, 0, SAMPLES)]
        return [self._objectives(mean) for mean in self._mean(np.stack(drawn))]

    def _mean(self, points: Array) -> Array:
        """Mean curves `(N, epochs, names)`."""
        scores = np.stack([process.predict(points) for process in self._processes], axis=1)
        return np.asarray(np.exp(self._centre + scores @ self._directions).reshape(-1, *self._shape))

    def _explained(self, targets: Array) -> dict[str, float]:
        without = np.stack([process.left_out() for process in self._processes], axis=1)
        missed = (targets - self._centre - without @ self._directions).reshape(-1, *self._shape)[:, -1]
        share = 1 - np.square(missed).mean(axis=0) / targets.reshape(-1, *self._shape)[:, -1].var(axis=0)
        return {name: float(share[self._names.index(name)]) for name in self._curves.config.search.objectives}

    def _block(self, rows: Rows) -> Array:
        """Metrics `(epochs, names)`."""
        return np.asarray([[float(row[name]) for name in self._names] for row in rows])

    def _rows(self, block: Array) -> Rows:
        about = {"stage": "fit", "seconds": self._seconds}
        return [about | dict(zip(self._names, map(float, line), strict=True)) for line in block]

    def _objectives(self, mean: Array) -> tuple[float, ...]:
        best = selected(self._rows(mean), "best", self._metric)
        return tuple(float(best[name]) for name in self._curves.config.search.objectives)
