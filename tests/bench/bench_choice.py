"""Quality of the choice of a search, and truth of its stated value: by raw values, by estimates, and confirmed.

Simulates searches over recorded configurations: each trial is a configuration of the recording with one of its recorded
seeds, drawn at random. "best raw value" takes N trials and chooses the best value that one seed gave. "estimates" takes
the same trials and chooses by the estimates. "confirmed" takes fewer trials and spends the rest on fresh seeds of the
contenders, by the production code of `groupdir confirm`. All have the same number of trainings. The truth of a choice
is the mean over the recorded seeds that its search did not use.
    python tests/bench/bench_choice.py [--searches 400] [--trainings 28 56 112] [--jobs 2] [--quick]
"""

from __future__ import annotations

import argparse
import functools
import math
import multiprocessing
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groupdir.config.confirmation import ConfirmationConfig
from groupdir.config.space import StudyConfig
from groupdir.config.trial import TrialConfig
from groupdir.files.study_files import EPOCH_REPORT
from groupdir.rules import KNEE, RULES, metrics_of_rule
from groupdir.study.state import TrialState, selected
from groupdir.values.choice import choose
from groupdir.values.trainings import configurations, trainings_of
from groupdir.values.values import CONFIDENCE, Values
from launch.control.confirmation import begin_round, suggest_confirmation
from launch.simulation.curves import load_curves
from launch.simulation.searches import with_search
from launch.study.memory_store import MemoryStore
from launch.study.new_trial import record_trial
from launch.study.study import Study

ROOT = Path(__file__).resolve().parents[2]
CURVES = ROOT / "tests" / "data" / "digits_curves.parquet"
SELECTED_BY = "val_mae_all"
SHARE = 3 / 11  # of the trials: 22 trials and 6 trainings, 44 and 12, 88 and 24
RAW, ESTIMATES, CONFIRMED = "best raw value", "estimates", "confirmed"


@functools.cache
def recording(file: Path, seeds: int) -> tuple[StudyConfig, list[Mapping[str, Any]], list[TrialConfig], np.ndarray]:
    """Return the study, its configurations with at least so many seeds, and the metrics of the first seeds.

    Returns:
        The study, the parameters (K), the trials (K), and for each configuration and seed the metrics of the selected
        epoch as mappings, an object array (K, seeds).
    """
    curves = load_curves([file])
    kept = [index for index, each in enumerate(curves.curves) if len(each) >= seeds]
    config = with_search(curves.config, {})
    rows = [
        [_metrics(selected(curve.rows, "best", SELECTED_BY)) for curve in curves.curves[index][:seeds]]
        for index in kept
    ]
    table = np.empty((len(kept), seeds), dtype=object)
    for index, row in enumerate(rows):
        table[index] = row
    params = [curves.params[index] for index in kept]
    return config, params, [config.space.build(each) for each in params], table


def _metrics(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in row.items() if name.startswith("val_")}


class Search:
    """Search whose trials are recorded trainings. It counts which recorded seeds each configuration has used."""

    def __init__(self, file: Path, seeds: int, seed: int) -> None:
        config, self._params, self._trials, self._table = recording(file, seeds)
        self.study = Study(Path("simulated"), config, MemoryStore(lambda: 0.0), None)
        rng = np.random.default_rng([seed, 5])
        self._order = rng.permutation(len(self._params))
        self._seeds = [list(rng.permutation(seeds)) for _ in self._params]
        self._index: dict[str, int] = {}

    def search(self, trials: int) -> None:
        """Run the trials of the search."""
        for index in self._order[:trials]:
            config = self._trials[index].with_seed(int(self._order[0]) + 2**31 + len(self.study.state.trials))
            number = record_trial(self.study, config, self._params[index], "search", "", SELECTED_BY)
            self._index[self.study.state.trials[number].configuration] = int(index)
            self._train(self.study.state.trials[number])

    def confirm(self, options: ConfirmationConfig) -> None:
        """Run the confirmation of the production code, one training after the other."""
        begin_round(self.study, options)
        while (number := suggest_confirmation(self.study, SELECTED_BY)) is not None:
            self._train(self.study.state.trials[number])

    def _train(self, trial: TrialState) -> None:
        index = self._index[trial.configuration]
        report: dict[str, Any] = {name: kind() for name, kind in EPOCH_REPORT.items()}
        report |= {"stage": "fit", "predicts": True, "fidelity": 1, "stage_epoch": 1, "last": True}
        metrics = self._table[index, self._seeds[index].pop()]
        self.study.append("epoch", trial=trial.number, seed=trial.seed, epoch=1, payload={**report, "metrics": metrics})
        self.study.append("finished", trial=trial.number)

    def truth(self, trial: int, metric: str) -> tuple[float, int]:
        """Return the mean of a metric over the recorded seeds that the search has not used, and their number."""
        index = self._index[self.study.state.trials[trial].configuration]
        values = [self._table[index, seed][metric] for seed in self._seeds[index]]
        return float(np.mean(values)), len(values)


def one(job: tuple[Path, int, int, int]) -> list[dict[str, Any]]:
    """Return the choices of every rule and kind of search, for one seed and one number of trainings."""
    file, seeds, trainings, seed = job
    rows: list[dict[str, Any]] = []
    plain = Search(file, seeds, seed)
    plain.search(trainings)
    rows += _choices(plain, RAW, trainings, seed) + _choices(plain, ESTIMATES, trainings, seed)
    for rules in [("few",), tuple(RULES)]:
        confirmed = Search(file, seeds, seed)
        confirmed.search(round(trainings / (1 + SHARE)))
        # At least one recorded seed of every configuration stays unused, for the truth.
        confirmed.confirm(ConfirmationConfig(share=SHARE, rules=rules, most_seeds=max(2, seeds - 1)))
        name = f"{CONFIRMED}, {'rule few alone' if len(rules) == 1 else 'all rules'}"
        rows += [row for row in _choices(confirmed, name, trainings, seed) if row["rule"] in rules]
    return rows


def _choices(search: Search, kind: str, trainings: int, seed: int) -> list[dict[str, Any]]:
    state, config = search.study.state, search.study.config
    objectives = list(config.search.objectives)
    values = Values(config.space.parameters, configurations(trainings_of(state)))
    everyone = np.arange(len(values.configurations))
    rows = []
    for rule in RULES:
        metric = metrics_of_rule(rule, objectives, values.recorded)[0] if rule != KNEE else SELECTED_BY
        of = values.of(metric)
        if kind == RAW:
            if rule == KNEE:
                continue
            index = int(np.argmin(of.raw))
            stated, low, high, chance = float(of.raw[index]), math.nan, math.nan, math.nan
        else:
            choice = choose(values, rule, objectives, values.recorded, everyone)
            assert choice is not None
            index, chance = choice.index, choice.chance
            stated, low, high = (float(x) for x in (of.mean[index], of.interval[0][index], of.interval[1][index]))
        true, held_out = search.truth(values.trials[index], metric)
        assert of.posterior is not None
        tail = (1 - CONFIDENCE) / 2
        rng = np.random.default_rng(seed)
        noise = of.noise / math.sqrt(held_out) * rng.standard_normal(len(of.samples))
        # A mean over few seeds differs from the true value by noise, on the scale of the model, the root of the error.
        draws = np.square(np.sqrt(np.maximum(of.samples[:, index], 0.0)) + noise)
        lowest, highest = np.quantile(draws, [tail, 1 - tail])
        rows.append(
            {"kind": kind, "rule": rule, "trainings": trainings, "seed": seed, "stated": stated, "true": true}
            | {"low": low, "high": high, "covers": float(low <= true <= high), "chance": chance}
            | {"covers_mean": float(lowest <= true <= highest), "held_out": held_out}
        )
    return rows


def summary(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a Markdown table with one line for each number of trainings, rule and kind of search.

    Stated and true values are means over the searches. "too good" is one minus the mean stated over the mean true
    value. "true, against raw" is the paired difference of the true value to that of the best raw value, with its
    standard error. "covered" is the share of 90 % intervals that hold the truth; the truth is a mean over few seeds, so
    the interval is widened by the noise of that mean.
    """
    lines = ["| trainings | rule | choice | stated | true | too good | true, against raw | covered |"]
    lines.append("|---:|---|---|---:|---:|---:|---:|---:|")
    for trainings in sorted({int(row["trainings"]) for row in rows}):
        for rule in RULES:
            mine = [row for row in rows if (row["trainings"], row["rule"]) == (trainings, rule)]
            raw = {row["seed"]: row["true"] for row in mine if row["kind"] == RAW}
            kinds = dict.fromkeys(row["kind"] for row in mine)
            lines += [_line(trainings, rule, kind, [row for row in mine if row["kind"] == kind], raw) for kind in kinds]
    return lines


def _line(trainings: int, rule: str, kind: str, rows: Sequence[Mapping[str, Any]], raw: Mapping[int, float]) -> str:
    stated, true = (np.array([row[name] for row in rows]) for name in ("stated", "true"))
    against = "-"
    if raw and kind != RAW:
        base = np.array([raw[row["seed"]] for row in rows])
        difference = (true - base) / base.mean()
        against = f"{difference.mean():+.1%} ± {difference.std(ddof=1) / math.sqrt(len(rows)):.1%}"
    covered = "-" if kind == RAW else f"{np.mean([row['covers_mean'] for row in rows]):.0%}"
    cells = [str(trainings), rule, kind, f"{stated.mean():.3f}", f"{true.mean():.3f}"]
    return "| " + " | ".join([*cells, f"{1 - stated.mean() / true.mean():+.1%}", against, covered]) + " |"


def main() -> None:
    """Run the simulated searches and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--searches", type=int, default=400)
    parser.add_argument("--trainings", type=int, nargs="+", default=[28, 56, 112])
    parser.add_argument("--curves", type=Path, default=CURVES)
    parser.add_argument("--seeds", type=int, default=6, help="recorded seeds of each configuration that are used")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write every choice to this Parquet file")
    parser.add_argument("--show", type=Path, help="print the table of such a file, and run nothing")
    parser.add_argument("--quick", action="store_true", help="20 searches of 28 trainings")
    options = parser.parse_args()
    if options.show:
        print("\n".join(summary(pd.read_parquet(options.show).to_dict("records"))))
        return
    if options.quick:
        options.searches, options.trainings = 20, [28]
    begin = time.perf_counter()
    jobs = [
        (options.curves, options.seeds, trainings, seed)
        for trainings in options.trainings
        for seed in range(options.searches)
    ]
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        rows = [row for part in pool.imap(one, jobs, chunksize=4) for row in part]
    count = len(recording(options.curves, options.seeds)[1])
    print(f"{options.searches} searches each over {count} configurations of {options.seeds} recorded seeds")
    print("\n".join(summary(rows)))
    print(f"{time.perf_counter() - begin:.0f} s")
    if options.out:
        pd.DataFrame(rows).to_parquet(options.out)


if __name__ == "__main__":
    main()
