"""The benchmark of choices: equal trainings, no recorded training twice, a truth that its search has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from groupdir.config.confirmation import ConfirmationConfig
from tests.bench.bench_choice import CONFIRMED, CURVES, RAW, SHARE, Search, one, recording, summary

SEEDS = 5


def test_a_search_uses_each_recorded_training_once() -> None:
    table = recording(CURVES, SEEDS)[3]
    search = Search(CURVES, SEEDS, seed=1)
    search.search(22)
    search.confirm(ConfirmationConfig(share=SHARE, rules=("few", "all"), most_seeds=SEEDS - 1))
    trials = list(search.study.state.trials.values())
    assert 22 < len(trials) <= 28
    seen = [(trial.configuration, trial.value("val_mae_few")) for trial in trials]
    assert len(set(seen)) == len(seen)
    chosen = search.study.state.of("confirmation")[0]
    base = next(trial for trial in trials if trial.configuration == chosen.configuration)
    used = [value for name, value in seen if name == chosen.configuration]
    row = next(row for row in table if any(each["val_mae_few"] == used[0] for each in row))
    unused = [each["val_mae_few"] for each in row if each["val_mae_few"] not in used]
    assert search.truth(base.number, "val_mae_few") == (pytest.approx(np.mean(unused)), SEEDS - len(used))


def test_the_same_seed_gives_the_same_choices() -> None:
    job = (CURVES, SEEDS, 28, 3)
    first, second = one(job), one(job)
    assert [row["stated"] for row in first] == [row["stated"] for row in second]
    few = {row["kind"]: row for row in first if row["rule"] == "few"}
    assert {RAW, f"{CONFIRMED}, all rules", f"{CONFIRMED}, rule few alone"} < set(few)
    assert few[RAW]["stated"] < few[f"{CONFIRMED}, rule few alone"]["stated"], "the raw value is the lowest of all"
    lines = summary(first + [{**row, "seed": 4, "true": row["true"] + 0.1} for row in first])
    assert len(lines) == 2 + len({(row["kind"], row["rule"]) for row in first})
