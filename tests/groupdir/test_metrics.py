"""Shots and metrics, against plain loops, the published shot counts and the real labels."""

import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from groupdir.metrics import (
    ALL_AND_SHOTS,
    METRICS,
    SHOTS,
    STSB_SHOTS,
    ShotSplit,
    better,
    find_metric,
    geometric_mean_error,
    group_metrics,
    parse_metric,
    search_metrics,
    searchable,
    shot_metrics,
    sign,
)
from tests.checkout import ROOT

OF_VALUES = [metric.name for metric in METRICS.values() if metric.compares == "values"]
KEYS = {f"{metric}_{shot}" for metric in OF_VALUES for shot in ALL_AND_SHOTS}
TOY = ShotSplit.fixed(many=[0, 1], median=[2], few=[3], bin_width=1, high=None)


def agedb(shared_data: Path, split: str) -> np.ndarray:
    rows = [line.split(",") for line in (shared_data / "agedb-dir" / "agedb.csv").read_text("utf-8").splitlines()[1:]]
    return np.array([float(row[0]) for row in rows if row[-1] == split], dtype=np.float32)


def stsb(shared_data: Path, split: str) -> np.ndarray:
    lines = (shared_data / "sts-b-dir" / f"{split}_new.tsv").read_text("utf-8").rstrip("\n").split("\n")
    column = lines[0].split("\t").index("score")
    return np.array([line.split("\t")[column] for line in lines[1:]], dtype=np.float32)


def counts(shots: ShotSplit, y: np.ndarray) -> tuple[int, ...]:
    return tuple(np.bincount(shots.of(y), minlength=3).tolist())


def test_agedb_has_the_published_shots(shared_data: Path) -> None:
    train = agedb(shared_data, "train")
    shots = ShotSplit.from_train(train)
    assert len(train) == 12208
    assert counts(shots, agedb(shared_data, "test")) == (1530, 448, 162)
    assert counts(shots, agedb(shared_data, "val")) == (1530, 448, 162)
    assert shots.many == (*range(20, 69), 70, 72)
    assert set(shots.median) >= {17, 18, 19, 69, 71, *range(73, 83), 85}
    assert shots.of([0.0, 2.0, 130.0]).tolist() == [2, 2, 2], "labels never seen in training are few-shot"


@pytest.mark.parametrize(
    ("split", "n", "expected"),
    [("train", 5249, (4510, 538, 201)), ("dev", 1000, (758, 177, 65)), ("test", 1000, (756, 170, 74))],
)
def test_stsb_has_the_published_shots(shared_data: Path, split: str, n: int, expected: tuple[int, ...]) -> None:
    y = stsb(shared_data, split)
    assert len(y) == n
    assert counts(ShotSplit.fixed(STSB_SHOTS), y) == expected
    lists = {name: list(bins) for name, bins in STSB_SHOTS.items()}
    assert ShotSplit.fixed(many=lists["many"], median=lists["median"], few=lists["few"]) == ShotSplit.fixed(STSB_SHOTS)


def test_stsb_lists_are_a_partition() -> None:
    listed = sorted(k for bins in STSB_SHOTS.values() for k in bins)
    assert listed == list(range(50))


@given(st.lists(st.integers(-5, 15), min_size=1, max_size=120), st.integers(0, 9), st.integers(0, 9))
def test_shots_follow_the_number_of_training_samples(train: list[int], few: int, extra: int) -> None:
    many = few + extra
    shots = ShotSplit.from_train(np.array(train, dtype=np.float32), many=many, few=few)
    number = Counter(train)
    for label in range(-6, 17):
        expected = "many" if number[label] > many else "few" if number[label] < few or not number[label] else "median"
        assert SHOTS[shots.of([label])[0]] == expected


def test_shots_survive_json() -> None:
    for shots in (TOY, ShotSplit.fixed(STSB_SHOTS), ShotSplit.from_train([1, 1, 2], many=1, few=1, high=9)):
        assert ShotSplit.from_dict(json.loads(json.dumps(shots.to_dict()))) == shots


def test_labels_outside_a_bounded_range_are_in_the_end_bins() -> None:
    shots = ShotSplit.fixed(many=[0], median=[49])
    assert shots.of([-3.0, 0.0, 5.0, 6.0, 2.0]).tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ShotSplit.fixed(many=[1, 2], few=[2]), r"in several: \[2\]"),
        (lambda: ShotSplit.fixed({"many": [1], "medium": [2]}), "'medium'"),
        (lambda: ShotSplit.fixed({"many": [1]}, few=[2]), "got both"),
        (lambda: ShotSplit.from_train([1.0], many=5, few=9), "few <= many"),
        (lambda: ShotSplit.from_train([1.0], bin_width=0), "bin_width must be > 0"),
        (lambda: ShotSplit.from_train([1.0], low=2, high=1), "low < high"),
        (lambda: ShotSplit.from_train([1.0, math.nan]), "got 1 NaN"),
        (lambda: ShotSplit.from_dict({"many": []}), "the keys must be"),
        (lambda: shot_metrics([1.0], [1.0, 2.0], TOY), r"one shape \(N,\), got \(1,\) and \(2,\)"),
        (lambda: shot_metrics([[1.0]], [[1.0]], TOY), "one shape"),
        (lambda: shot_metrics([1.0], [math.nan], TOY), "got 1 NaN"),
        (lambda: shot_metrics(["a"], [1.0], TOY), "real numbers"),
    ],
)
def test_mistakes_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def metrics_by_loops(pred: list[float], y: list[float]) -> dict[str, float]:
    errors = [abs(p - t) for p, t in zip(pred, y, strict=True)]
    n = len(errors)
    if not n:
        return dict.fromkeys(OF_VALUES, math.nan)
    per_label = {t: [e for e, u in zip(errors, y, strict=True) if u == t] for t in y}
    mean_p, mean_y = math.fsum(pred) / n, math.fsum(y) / n
    cov = math.fsum((p - mean_p) * (t - mean_y) for p, t in zip(pred, y, strict=True))
    var_p, var_y = (math.fsum((v - m) ** 2 for v in vs) for vs, m in ((pred, mean_p), (y, mean_y)))
    defined = n > 1 and len(set(pred)) > 1 and len(set(y)) > 1
    return {
        "mae": math.fsum(errors) / n,
        "gm": math.exp(math.fsum(math.log(max(e, 1e-10)) for e in errors) / n),
        "mse": math.fsum(e * e for e in errors) / n,
        "bmae": math.fsum(math.fsum(es) / len(es) for es in per_label.values()) / len(per_label),
        "pearson": cov / math.sqrt(var_p * var_y) if defined else math.nan,
    }


SAMPLES = st.lists(
    st.tuples(st.integers(-300, 500).map(lambda k: k / 100), st.sampled_from([0, 1, 2, 3, 3.5])), max_size=40
)


@given(SAMPLES, st.sampled_from([np.float32, np.float64]))
def test_metrics_are_their_definitions(samples: list[tuple[float, float]], dtype: type) -> None:
    pred, y = (np.array([s[k] for s in samples], dtype=dtype) for k in (0, 1))
    got = shot_metrics(pred, y, TOY)
    assert set(got) == KEYS
    assert all(type(value) is float for value in got.values())
    for shot, bins in {"all": {0, 1, 2, 3}, "many": {0, 1}, "median": {2}, "few": {3}}.items():
        here = [k for k, t in enumerate(y) if math.floor(t) in bins]
        expected = metrics_by_loops([float(pred[k]) for k in here], [float(y[k]) for k in here])
        for metric, value in expected.items():
            assert got[f"{metric}_{shot}"] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), (metric, shot)


@given(SAMPLES.filter(bool), st.randoms(use_true_random=False), st.floats(0.1, 10), st.floats(-5, 5))
def test_order_does_not_matter_and_pearson_ignores_scale(samples: list, random: object, a: float, b: float) -> None:
    shuffled = list(samples)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    pred, y = (np.array([s[k] for s in samples]) for k in (0, 1))
    other = shot_metrics([s[0] for s in shuffled], [s[1] for s in shuffled], TOY)
    first = shot_metrics(pred, y, TOY)
    assert other == pytest.approx(first, rel=1e-9, abs=1e-9, nan_ok=True)
    moved = shot_metrics(a * pred + b, y, TOY)
    assert moved["pearson_all"] == pytest.approx(first["pearson_all"], abs=1e-6, nan_ok=True)
    assert all(math.isnan(v) or -1 <= v <= 1 for k, v in first.items() if k.startswith("pearson"))


def test_an_exact_prediction_and_the_geometric_mean() -> None:
    pred, y = [1.0, 4.0], [1.0, 0.0]
    assert shot_metrics(pred, y, TOY)["gm_all"] == pytest.approx(math.sqrt(1e-10 * 4))
    assert geometric_mean_error(np.array(pred), np.array(y), smallest=0.0) == 0.0


def test_labels_count_alike_in_the_balanced_error() -> None:
    metrics = shot_metrics([1.0, 1.0, 1.0, 9.0], [0.0, 0.0, 0.0, 3.0], TOY)
    assert metrics["bmae_all"] == pytest.approx((1 + 6) / 2)
    assert metrics["mae_all"] == pytest.approx((3 + 6) / 4)


def test_a_nan_prediction_stays_in_its_shot() -> None:
    metrics = shot_metrics([0.5, math.nan, 2.5], [0.0, 3.0, 2.0], TOY)
    assert all(math.isnan(metrics[f"{metric}_{shot}"]) for metric in OF_VALUES for shot in ("all", "few"))
    assert metrics["mae_many"] == metrics["mae_median"] == 0.5


def test_an_infinite_prediction_is_no_crash() -> None:
    metrics = shot_metrics([math.inf, 1.0], [0.0, 1.0], TOY)
    assert metrics["mae_all"] == metrics["mse_all"] == math.inf
    assert math.isnan(metrics["pearson_all"])


def test_a_constant_that_is_no_binary_number_has_no_correlation() -> None:
    assert math.isnan(shot_metrics([0.1] * 7, [0, 1, 2, 3, 0, 1, 2], TOY)["pearson_all"])


def test_sums_do_not_lose_digits_to_float32() -> None:
    y = np.zeros(2_000_000, dtype=np.float32)
    assert shot_metrics(np.full_like(y, 0.1), y, TOY)["mae_all"] == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_tensors_are_taken_as_they_come() -> None:
    pred, y = torch.tensor([1.0, 2.5], requires_grad=True), torch.tensor([0.0, 2.0])
    assert shot_metrics(pred, y, TOY) == pytest.approx(shot_metrics([1.0, 2.5], [0.0, 2.0], TOY), nan_ok=True)
    assert shot_metrics(pred.bfloat16(), y, TOY)["mae_all"] == 0.75
    assert ShotSplit.from_train(y, many=0, few=0).many == (0, 2)


def test_metrics_load_no_torch() -> None:
    code = "import sys, groupdir.metrics; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_name_of_a_search_has_its_parts_and_its_direction() -> None:
    names = search_metrics()
    assert len(names) == len(set(names)) == len(KEYS) + 1
    for name in names:
        split, metric, shot, oracle = parse_metric(name)
        assert searchable(name) == name
        assert (split, oracle) == ("val", False)
        assert name == "_".join(filter(None, ("val", metric.name, shot)))
        assert sign(name) == (-1 if metric.name in ("pearson", "group_accuracy") else 1)
        assert better(name, 1.0, 2.0) == (sign(name) > 0)
    assert parse_metric("mae_few")[::2] == ("", "few")
    assert parse_metric("test_oracle_mae_all").oracle
    assert parse_metric("test_group_accuracy").shot is None


@pytest.mark.parametrize("name", ["val_mae", "val_mae_", "mae_fwe", "val_group_accuracy_few", "train_loss", "all", ""])
def test_other_names_are_no_metrics(name: str) -> None:
    assert find_metric(name) is None
    with pytest.raises(ValueError, match=r"unknown metric '.*Known: val_\{mae,gm,mse,bmae,pearson\}_\{all,many,median"):
        parse_metric(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("val_mae_fwe", "unknown metric 'val_mae_fwe': did you mean 'val_mae_few'"),
        ("test_mae_few", "reads the test set, which a search must not: use val_mae_few"),
        ("val_oracle_mae_few", "is a diagnostic that uses the true group: use val_mae_few"),
        ("mae_few", "'mae_few' is not a metric of the validation set: use val_mae_few"),
        ("train_mae_few", "'train_mae_few' is not a metric of the validation set: use val_mae_few"),
    ],
)
def test_a_search_may_not_use_every_metric(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        searchable(name)


def test_nan_is_worse_than_any_number() -> None:
    for name in ("val_mae_all", "val_pearson_all"):
        assert better(name, 5.0, math.nan)
        assert not better(name, math.nan, 5.0)
        assert not better(name, math.nan, math.nan)
        assert not better(name, 1.0, 1.0)


def test_group_accuracy_is_the_share_of_right_groups() -> None:
    assert group_metrics(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])) == {"group_accuracy": 0.75}
    assert math.isnan(group_metrics(np.array([], dtype=int), np.array([], dtype=int))["group_accuracy"])
