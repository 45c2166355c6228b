"""Epochs that a search needs to find 95 % of the best front known, ours beside what people would take instead.

Runs the production searcher and scheduler, the tools of `rivals` as shipped, and the rules of two faulty public
schedulers, on the same virtual workers over the recorded digits. Prints medians with quartiles over the seeds, and the
ratio to random search; writes every run. Rows of BoTorch and SMAC3 need the extra `bench`.
    python tests/bench/bench_search.py [--seeds 20] [--workers 2 8 64 500] [--source nearest] [--jobs 2] [--quick]
"""

from __future__ import annotations

import argparse
import functools
import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groupdir.config.space import StudyConfig
from groupdir.files.parquet import read_parquet, write_parquet
from launch.simulation.clock import Driver
from launch.simulation.curves import Curves, load_curves
from launch.simulation.quality import FrontQuality
from launch.simulation.searches import TARGET, Result, run, with_search
from launch.simulation.simulated_study import SimulatedStudy
from launch.simulation.surrogate import Interpolated, Nearest, Source
from tests.bench.rivals.faulty_rules import IndicesAsRanks, NeverHalves, ladder_of
from tests.bench.rivals.ray_tune import RayDriver
from tests.bench.rivals.rows import Build, left_out, rivals

ROOT = Path(__file__).resolve().parents[2]
RUNGS: dict[str, Any] = {"grace_period": 5, "reduction_factor": 2}
PROMOTE = {"name": "pareto_asha", "mode": "promote", **RUNGS}
STOP = {"name": "pareto_asha", "mode": "stop", **RUNGS}
RANDOM = {"name": "random"}
MOST_TRIALS = 100_000


def _ours(sampler: Mapping[str, Any], scheduler: Mapping[str, Any]) -> Callable[[StudyConfig], Driver]:
    return lambda config: SimulatedStudy(with_search(config, {"sampler": sampler, "scheduler": scheduler}))


def _faulty(make: Callable[[Any], Any], scheduler: Mapping[str, Any]) -> Callable[[StudyConfig], Driver]:
    def build(config: StudyConfig) -> Driver:
        changed = with_search(config, {"sampler": RANDOM, "scheduler": scheduler})
        return SimulatedStudy(changed, make=lambda: make(ladder_of(changed)))

    return build


def _ray(optuna: bool) -> Callable[[StudyConfig], Driver]:
    return lambda config: RayDriver(with_search(config, {"scheduler": PROMOTE}), optuna)


def _rival(build: Build) -> Callable[[StudyConfig], Driver]:
    return lambda config: build(with_search(config, {"scheduler": STOP}))


SEARCHES: dict[str, Callable[[StudyConfig], Driver]] = {
    "random, no stopping": _ours(RANDOM, {"name": "none"}),
    "random + Ray's ASHA on val_mae_all": _ray(optuna=False),
    "Ray's OptunaSearch + ASHA as shipped": _ray(optuna=True),
    "random + faulty: indices as ranks": _faulty(IndicesAsRanks, STOP),
    "random + faulty: never halves": _faulty(NeverHalves, PROMOTE),
    "random + ParetoASHA, stop": _ours(RANDOM, STOP),
    "random + ParetoASHA, promote": _ours(RANDOM, PROMOTE),
    "hypervolume + ParetoASHA, promote": _ours({"name": "hypervolume", "startup": 16}, PROMOTE),
    **{name: _rival(build) for name, build in rivals().items()},
}


@functools.cache
def _source(kind: str) -> tuple[Curves, Source, FrontQuality]:
    curves = load_curves([ROOT / "tests" / "data" / "digits_curves.parquet"])
    source: Source = Nearest(curves) if kind == "nearest" else Interpolated(curves)
    return curves, source, FrontQuality(source.known(), list(curves.config.search.objectives.values()))


def _one(job: tuple[str, str, int, int, int]) -> Result:
    kind, name, workers, seed, most = job
    curves, source, quality = _source(kind)
    driver = SEARCHES[name](with_search(curves.config, {"seed": seed, "trials": MOST_TRIALS}))
    return run(name, driver, source, quality, workers, seed, most_epochs=most, target=TARGET)


def row_of(result: Result, most: int) -> dict[str, Any]:
    """What is kept of a search; `reached` is infinite where it was given up after `most` epochs."""
    best = result.points[-1].hypervolume if result.points else 0.0
    about = {"label": result.name, "workers": result.workers, "seed": result.seed, "most": most}
    return about | {"reached": result.reached(), "epochs": result.epochs, "hypervolume": best}


def summary(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A Markdown table: epochs to the target, median [quartiles], and the ratio of the median to random search's.

    Raises:
        ValueError: A search is there twice with the same workers and seed.
    """
    keys = [(row["label"], row["workers"], row["seed"]) for row in rows]
    if len(set(keys)) < len(keys):
        raise ValueError("a search must be there once for each number of workers and each seed, got some twice")
    counts = sorted({int(row["workers"]) for row in rows})
    names = list(dict.fromkeys(row["label"] for row in rows))
    lines = ["| search | " + " | ".join(f"{count} workers" for count in counts) + " |", "|---|" + "---|" * len(counts)]
    for name in names:
        cells = [_cell(rows, name, count) for count in counts]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _cell(rows: Sequence[Mapping[str, Any]], name: str, workers: int) -> str:
    mine = [row for row in rows if (row["label"], row["workers"]) == (name, workers)]
    if not mine:
        return "-"
    most = int(min(row["most"] for row in mine))
    low, middle, high = _quartiles(mine)
    plain = [row for row in rows if (row["label"], row["workers"]) == (next(iter(SEARCHES)), workers)]
    base = _quartiles(plain)[1] if plain else np.inf
    ratio = f", x{middle / base:.2f}" if np.isfinite([middle, base]).all() else ""
    return f"{_said(middle, most)} [{_said(low, most)}, {_said(high, most)}]{ratio}"


def _quartiles(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float, float]:
    low, middle, high = np.quantile([row["reached"] for row in rows], [0.25, 0.5, 0.75], method="nearest")
    return float(low), float(middle), float(high)


def _said(epochs: float, most: int) -> str:
    return f"{epochs:,.0f}" if np.isfinite(epochs) else f"> {most:,}"


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 8, 64, 500])
    parser.add_argument("--source", choices=["nearest", "interpolated"], default="nearest")
    parser.add_argument("--most", type=int, default=20_000, help="epochs at which a search is given up")
    parser.add_argument("--searches", nargs="+", default=list(SEARCHES), help="parts of their names")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="writes every run to this Parquet file")
    parser.add_argument("--show", type=Path, nargs="+", help="prints one table of such files, and runs nothing")
    parser.add_argument("--quick", action="store_true", help="3 seeds, 8 workers, 4,000 epochs at most")
    options = parser.parse_args()
    if options.show:
        print("\n".join(summary([row for path in options.show for row in read_parquet(path)[0].to_pylist()])))
        return
    if options.quick:
        options.seeds, options.workers, options.most = 3, [8], 4_000
    names = [name for name in SEARCHES if any(part in name for part in options.searches)]
    missing = left_out(names)
    for name, reason in missing.items():
        print(f"left out: {name}: {reason}")
    names = [name for name in names if name not in missing]
    jobs = [
        (options.source, name, workers, seed, options.most)
        for name, workers, seed in itertools.product(names, options.workers, range(1, options.seeds + 1))
    ]
    curves, source, quality = _source(options.source)
    print(f"{len(curves.params)} recorded configurations; trials report: {source.name}")
    print(
        f"{quality.front_size} on the best known front; target {TARGET:.0%} of its hypervolume; {options.seeds} seeds"
    )
    begin = time.perf_counter()
    os.environ["PYTHONHASHSEED"] = "0"  # of the processes of the pool: see `SmacDriver`
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        results = list(pool.imap(_one, jobs, chunksize=1))
    rows = [row_of(result, options.most) for result in results]
    print("\n".join(summary(rows)))
    print(f"{len(results)} searches in {time.perf_counter() - begin:.0f} s")
    if options.out:
        write_parquet(options.out, rows, {"source": source.name})


if __name__ == "__main__":
    main()
