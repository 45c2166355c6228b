"""What a simulated trial reports, from recorded curves: the nearest one, or one between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from groupdir.records import selected
from launch.curves import Curves
from launch.sampling.design import design_point

Rows = Sequence[Mapping[str, Any]]
TREES = 64
LEAF = 3  # configurations that a leaf averages, so that the luck of one is not taken for a discovery
SAMPLES = 2048  # points of the space that the best known front is taken from


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
    """Extremely randomised trees give the mean curve; the difference of two recorded seeds gives the noise around it.

    Noise of an epoch goes with that of its neighbours, as a seed's does: it is a recorded pair's whole difference,
    halved in variance.

    Source: Geurts et al. 2006, "Extremely randomized trees" (scikit-learn); the idea of a surrogate benchmark:
    Eggensperger et al. 2015, "Efficient benchmarking of hyperparameter optimizers via surrogates".

    Args:
        curves: All that is recorded; all of one length, at least one configuration with two seeds.
        metric: The one whose lowest value selects a trial's epoch.
        seed: Of the trees.

    Raises:
        ValueError: The curves differ in length, or none has two seeds.
    """

    name = "interpolating surrogate (extremely randomised trees, noise of recorded seeds)"

    def __init__(self, curves: Curves, metric: str = "val_mae_all", seed: int = 0) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        lengths = {len(curve.rows) for seeds in curves.curves for curve in seeds}
        if len(lengths) != 1:
            raise ValueError(f"curves must be of one length to be interpolated, got {sorted(lengths)}")
        self._curves, self._metric = curves, metric
        self._names = sorted({metric, *curves.config.search.objectives})
        blocks = [np.stack([self._block(curve.rows) for curve in seeds]) for seeds in curves.curves]
        pairs = [block for block in blocks if len(block) > 1]
        if not pairs:
            raise ValueError("curves must have two seeds of at least one configuration, for the noise between them")
        self._noise = np.stack([(block[0] - block[1]) / np.sqrt(2.0) for block in pairs])
        self._shape = blocks[0].shape[1:]
        seconds = [row["seconds"] for seeds in curves.curves for curve in seeds for row in curve.rows]
        self._seconds = float(np.median(seconds))
        self.points = np.stack([curves.features(params) for params in curves.params])
        self.targets = np.log(np.stack([block.mean(axis=0).ravel() for block in blocks]))
        self._trees = ExtraTreesRegressor(n_estimators=TREES, min_samples_leaf=LEAF, random_state=seed)
        self._trees.fit(self.points, self.targets)

    def draw(self, params: Mapping[str, Any], rng: np.random.Generator) -> Drawn:
        """See `Source.draw`."""
        mean = self._mean(self._curves.features(params)[None])[0]
        noisy = np.maximum(mean + self._noise[int(rng.integers(len(self._noise)))], 0.05 * mean)
        return Drawn(self._rows(noisy), self._objectives(mean))

    def known(self) -> list[tuple[float, ...]]:
        """Those of a quasi-random design over the whole space."""
        space = self._curves.config.space
        drawn = [self._curves.features(design_point(space, 0, number)) for number in range(SAMPLES)]
        return [self._objectives(mean) for mean in self._mean(np.stack(drawn))]

    def _mean(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.exp(self._trees.predict(points)).reshape(-1, *self._shape))

    def _block(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Metrics `(epochs, names)`."""
        return np.asarray([[float(row[name]) for name in self._names] for row in rows])

    def _rows(self, block: npt.NDArray[np.float64]) -> Rows:
        about = {"stage": "fit", "seconds": self._seconds}
        return [about | dict(zip(self._names, map(float, line), strict=True)) for line in block]

    def _objectives(self, mean: npt.NDArray[np.float64]) -> tuple[float, ...]:
        best = selected(self._rows(mean), "best", self._metric)
        return tuple(float(best[name]) for name in self._curves.config.search.objectives)
