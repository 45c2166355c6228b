"""ASHA against a brute-force reference, and what must not stop a trial."""

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupdir.config.search import SearchConfig
from launch.schedulers.asha import ASHA

Row = tuple[int, int, float]


def reference(rows: Iterable[Row], grace: int, eta: int, mode: str) -> list[str]:
    """Every decision from the whole past, anew."""
    past: list[Row] = []
    actions = []
    rungs = {grace * eta**k for k in range(12)}
    for trial, epoch, value in rows:
        at_rung = [v for _, e, v in past if e == epoch and not math.isnan(v)]
        action = "continue"
        if epoch in rungs and not math.isnan(value) and at_rung:
            ordered = sorted(at_rung, reverse=mode == "max")
            place = (len(ordered) - 1) / eta
            low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
            border = low + (high - low) * (place - math.floor(place))
            worse = value > border if mode == "min" else value < border
            action = "stop" if worse and not math.isclose(value, border, rel_tol=1e-12) else "continue"
        actions.append(action)
        past.append((trial, epoch, value))
    return actions


@given(
    seed=st.integers(0, 10_000),
    grace=st.integers(1, 3),
    eta=st.integers(2, 4),
    mode=st.sampled_from(["min", "max"]),
)
def test_decisions_are_those_of_the_reference(seed: int, grace: int, eta: int, mode: str) -> None:
    rng = np.random.default_rng(seed)
    rows = [(trial, epoch, float(rng.integers(0, 9))) for trial in range(8) for epoch in range(1, 13)]
    rows = [rows[i] for i in rng.permutation(len(rows))]
    rows = [(t, e, math.nan if rng.random() < 0.1 else v) for t, e, v in rows]
    asha = ASHA("m", mode, grace, eta)  # type: ignore[arg-type]
    assert [asha.decide(t, e, {"m": v}).action for t, e, v in rows] == reference(rows, grace, eta, mode)


def test_a_repeated_epoch_gets_the_same_answer_and_is_counted_once() -> None:
    once, twice = ASHA("m", "min", 1, 2), ASHA("m", "min", 1, 2)
    for trial, value in enumerate([3.0, 1.0, 2.0, 5.0]):
        first = twice.decide(trial, 1, {"m": value})
        assert twice.decide(trial, 1, {"m": value}) == first == once.decide(trial, 1, {"m": value})


def test_a_stage_without_metrics_is_neither_stopped_nor_seen() -> None:
    asha = ASHA("m", "min", 2, 2)
    assert asha.decide(0, 2, {"m": math.nan}).action == "continue"
    assert asha.decide(1, 2, {"m": 9.0}).reason == "rung 2: the first trial to reach it"
    assert asha.decide(0, 3, {"m": 99.0}).action == "continue", "epoch 3 is no rung"


def test_the_best_so_far_is_never_stopped() -> None:
    asha = ASHA("m", "max", 1, 3)
    assert all(asha.decide(trial, 1, {"m": float(trial)}).action == "continue" for trial in range(20))


@pytest.mark.parametrize(("metric", "action"), [("val_mae_all", "continue"), ("val_pearson_all", "stop")])
def test_the_direction_is_the_metrics_own(metric: str, action: str) -> None:
    search = SearchConfig.model_validate({"scheduler": {"name": "asha", "metric": metric, "grace_period": 1}})
    asha = ASHA.from_config(search)
    asha.decide(0, 1, {metric: 0.5})
    assert asha.decide(1, 1, {metric: 0.4}).action == action


@pytest.mark.parametrize(("grace", "eta"), [(0, 2), (1, 1)])
def test_bad_arguments(grace: int, eta: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        ASHA("m", "min", grace, eta)
