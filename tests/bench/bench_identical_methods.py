"""Benchmarks of two identical methods: how often a table calls them different, and the power for a true difference.

Draws searches from the recorded digits: a search is some random configurations, each trained with one seed. Compares
two protocols. One block: a search for each method, the chosen configuration measured with 5 seeds, Welch's t-test over
the seeds. R blocks: a search and measured seeds for each method in each block, and a paired t-test over the blocks,
which is what a table does with two rows (`analysis.benchmark.best_set`). The recordings have one draw of the data, so
the noise of the draw is missing.
    python tests/bench/bench_identical_methods.py [--benchmarks 1000] [--replications 5 11] [--trials 12] [--quick]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groupdir.study.state import selected
from launch.replications import ALPHA, power_of
from launch.simulation.curves import Curves, load_curves

ROOT = Path(__file__).resolve().parents[2]
METRICS = ("val_mae_all", "val_mae_few")
"""Metric that chooses a trial, and the other one that is reported."""
NEAR = 20
"""Number of configurations of similar error that may lend one another their noise."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Recorded:
    """Recorded results of C configurations with S seeds each, in M metrics.

    Attributes:
        values: `(C, S, M)`.
    """

    values: Array

    def draw(self, configurations: npt.NDArray[np.int_], seeds: int, rng: np.random.Generator) -> Array:
        """Return results `(..., seeds, M)` of different trainings of each of the configurations `(...)`.

        They are recorded seeds, drawn without replacement. With too few recorded seeds they are all the mean of the
        configuration plus noise: the residual of a configuration of similar error, without the shrinkage that comes
        from its S seeds.
        """
        _, recorded, _ = self.values.shape
        if seeds <= recorded:
            order = rng.permuted(np.broadcast_to(np.arange(recorded), (*configurations.shape, recorded)), axis=-1)
            return self.values[configurations[..., None], order[..., :seeds]]
        means = self.values.mean(axis=1)
        residuals = (self.values - means[:, None]) * np.sqrt(recorded / (recorded - 1))
        order = np.argsort(means[:, 0])
        shape = (*configurations.shape, seeds)
        near_by = min(NEAR, len(order))
        first = np.clip(np.argsort(order)[configurations] - near_by // 2, 0, len(order) - near_by)
        near = order[first[..., None] + rng.integers(near_by, size=shape)]
        noise = residuals[near, rng.integers(recorded, size=shape)] * rng.choice([-1.0, 1.0], size=shape)[..., None]
        return np.asarray(means[configurations][..., None, :] + noise)

    @classmethod
    def of(cls, curves: Curves, seeds: int) -> Recorded:
        """Return the results at the selected epoch of each training, of the configurations with at least so many seeds.

        Raises:
            ValueError: If fewer than 2 seeds are asked for, or no configuration has so many.
        """
        kept = [each[:seeds] for each in curves.curves if len(each) >= seeds]
        if seeds < 2 or not kept:
            raise ValueError(f"configurations must have {max(2, seeds)} recorded seeds, got {len(kept)} such")
        best = [[selected(curve.rows, "best", METRICS[0]) for curve in each] for each in kept]
        return cls(np.array([[[row[name] for name in METRICS] for row in rows] for rows in best], dtype=np.float64))


@dataclass(frozen=True)
class Protocol:
    """Search and measurement of a method.

    Attributes:
        trials: Configurations of a search, each with one seed.
        top: Number of the best that are trained again before one is chosen by its mean over these seeds.
        confirm: Seeds with which they are trained again; 0 chooses by the search alone.
        measured: Seeds with which the chosen configuration is measured.
    """

    trials: int = 12
    top: int = 3
    confirm: int = 0
    measured: int = 1

    @property
    def trainings(self) -> int:
        """Number of trainings."""
        return self.trials + self.measured + (self.top * self.confirm if self.confirm else 0)

    def run(self, recorded: Recorded, searches: int, rng: np.random.Generator) -> Array:
        """Return the measured results `(searches, measured, M)` of some searches."""
        count = len(recorded.values)
        tried = np.argsort(rng.random((searches, count)), axis=1)[:, : self.trials]
        results = recorded.draw(tried, 1 + self.confirm + self.measured, rng)  # (searches, trials, seeds, M)
        costs = results[..., 0, 0]
        if self.confirm:
            contenders = np.argsort(costs, axis=1)[:, : self.top]
            again = results[..., 1 : 1 + self.confirm, 0].mean(axis=-1)
            means = np.take_along_axis(again, contenders, axis=1)
            chosen = np.take_along_axis(contenders, means.argmin(axis=1)[:, None], axis=1)[:, 0]
        else:
            chosen = costs.argmin(axis=1)
        return np.asarray(results[np.arange(searches), chosen, 1 + self.confirm :])


def different_over_seeds(first: Array, second: Array) -> npt.NDArray[np.bool_]:
    """Return `(benchmarks, M)` which two results `(benchmarks, S, M)` differ by Welch's t-test over the seeds."""
    return np.asarray(stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue <= ALPHA)


def different_over_blocks(first: Array, second: Array) -> npt.NDArray[np.bool_]:
    """Return `(benchmarks, M)` which two results `(benchmarks, R, M)` differ by the paired t-test over the blocks."""
    return np.asarray(stats.ttest_rel(first, second, axis=1).pvalue <= ALPHA)


def blocks_of(
    protocol: Protocol, recorded: Recorded, benchmarks: int, replications: int, rng: np.random.Generator
) -> Array:
    """Return the results `(benchmarks, replications, M)` of a method, means over the measured seeds of a block."""
    runs = protocol.run(recorded, benchmarks * replications, rng)
    return np.asarray(runs.mean(axis=1).reshape(benchmarks, replications, -1))


def share(called: npt.NDArray[np.bool_]) -> str:
    """Return the share of benchmarks called different with its 95 % interval (Wilson).

    >>> share(np.array([True] * 5 + [False] * 95))
    '5.0 % [2.2, 11.2]'
    """
    interval = stats.binomtest(int(called.sum()), len(called)).proportion_ci(method="wilson")
    return f"{100 * called.mean():.1f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def protocols(options: argparse.Namespace) -> dict[str, Protocol]:
    """Return the protocols of a block by their names."""
    again = f"{options.top} re-ranked with {options.confirm} seeds, 5 measured"
    return {
        "1 seed measured": Protocol(options.trials),
        "5 seeds measured": Protocol(options.trials, measured=5),
        again: Protocol(options.trials, options.top, options.confirm, measured=5),
    }


def lines_of(recorded: Recorded, options: argparse.Namespace) -> list[str]:
    """Return a Markdown table: shares called different, for identical methods and for a true difference."""
    rng = np.random.default_rng(options.seed)
    lines = ["| protocol | trainings | true difference | all | few |", "|---|---|---|---|---|"]
    single = Protocol(options.trials, measured=5)
    for difference in (0.0, options.difference):
        first, second = (single.run(recorded, options.benchmarks, rng) for _ in range(2))
        called = different_over_seeds(first, second + difference)
        lines.append(_line("1 block, 5 seeds measured", single.trainings, difference, called))
    for replications in options.replications:
        for name, block in protocols(options).items():
            for difference in (0.0, options.difference):
                first, second = (blocks_of(block, recorded, options.benchmarks, replications, rng) for _ in range(2))
                called = different_over_blocks(first, second + difference)
                trainings = replications * block.trainings
                lines.append(_line(f"{replications} blocks, {name}", trainings, difference, called))
    return lines


def _line(name: str, trainings: int, difference: float, called: npt.NDArray[np.bool_]) -> str:
    return f"| {name} | {trainings} | {difference:g} | {share(called[:, 0])} | {share(called[:, 1])} |"


def noise_lines(recorded: Recorded, options: argparse.Namespace) -> list[str]:
    """Return the standard deviation between blocks of each protocol, and over the seeds of a chosen configuration."""
    rng = np.random.default_rng(options.seed)
    lines = []
    for name, block in protocols(options).items():
        results = blocks_of(block, recorded, 5000, 1, rng)[:, 0]
        mean, noise = results.mean(axis=0), results.std(axis=0, ddof=1)
        planned = ", ".join(
            f"{power_of(options.difference, float(noise[0]), each):.2f} with {each}" for each in options.replications
        )
        text = f"mean {mean[0]:.2f} all, {mean[1]:.2f} few; deviation between blocks {noise[0]:.3f}, {noise[1]:.3f}"
        lines.append(f"{name}: {text}; planned power for all: {planned} blocks")
    within = Protocol(options.trials, measured=5).run(recorded, 5000, rng).std(axis=1, ddof=1)
    spread = np.sqrt(np.square(within).mean(axis=0))
    lines.append(f"deviation over seeds of one chosen configuration {spread[0]:.3f}, {spread[1]:.3f}")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the shares of benchmarks that call methods different, and the noise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--benchmarks", type=int, default=1000)
    parser.add_argument("--replications", type=int, nargs="+", default=[5, 11])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--top", type=int, default=3, help="contenders that are trained again")
    parser.add_argument("--confirm", type=int, default=3, help="seeds with which they are trained again")
    parser.add_argument("--difference", type=float, default=0.3, help="true difference whose power is printed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=6, help="recorded seeds of each configuration that is used")
    parser.add_argument("--curves", type=Path, default=ROOT / "tests/data/digits_curves.parquet")
    parser.add_argument("--quick", action="store_true", help="100 benchmarks, 5 blocks")
    options = parser.parse_args(arguments)
    if options.quick:
        options.benchmarks, options.replications = 100, [5]
    begin = time.perf_counter()
    recorded = Recorded.of(load_curves([options.curves]), options.seeds)
    count, seeds, _ = recorded.values.shape
    print(f"{count} recorded configurations, {seeds} seeds each; a search has {options.trials} trials")
    print(f"{options.benchmarks} benchmarks; share called different at the {100 * ALPHA:g} % level [95 % interval]")
    print("\n".join([*lines_of(recorded, options), *noise_lines(recorded, options)]))
    print(f"{time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
