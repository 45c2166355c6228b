"""Labels of data of one's own: range, bins and shots, from the YAML or from the training labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from groupdir.bins import bins_between
from groupdir.config.datasets import OwnLabelsConfig
from groupdir.data.own.labels import bin_width_of, shots_of, targets_of
from groupdir.errors import DataError
from groupdir.metrics import SHOTS


def config(**options: Any) -> OwnLabelsConfig:
    return OwnLabelsConfig(name="table", root="data", **options)


def labels(*counts: tuple[float, int]) -> np.ndarray:
    return np.concatenate([np.full(count, label, dtype=np.float32) for label, count in counts])


YEARS = labels((1, 5), (35, 353), (40, 120), (85, 20), (101, 2))


def test_from_the_training_labels() -> None:
    own = config(unit="years")
    targets = targets_of(own, YEARS, bin_width_of(YEARS))
    assert (targets.low, targets.high, targets.bin_width, targets.unit, targets.error) == (1, 102, 1, "years", "mae")
    assert targets.center == pytest.approx(YEARS.mean())
    assert targets.scale == pytest.approx(YEARS.std())
    shots = shots_of(own, YEARS, targets)  # a mean bin has 100: more than 80 are many, fewer than 16 few
    assert [SHOTS[code] for code in shots.of([35, 40, 85, 1, 101, 7])] == [
        "many",
        "many",
        "median",
        "few",
        "few",
        "few",
    ]


def test_from_the_yaml() -> None:
    own = config(low=0, high=100, bin_width=5, many=100, few=20, center=50, scale=10, error="mse")
    targets = targets_of(own, YEARS, 5)
    assert (targets.low, targets.high, targets.bin_width) == (0, 100, 5)
    assert (targets.center, targets.scale, targets.error) == (50, 10, "mse")
    shots = shots_of(own, YEARS, targets)
    assert [SHOTS[code] for code in shots.of([37, 87, 4])] == ["many", "median", "few"]


def test_one_threshold_given() -> None:
    for options in ({"few": 300}, {"many": 1}, {"many": 0}, {"few": 0}):
        own = config(**options)
        shots_of(own, YEARS, targets_of(own, YEARS, 1))  # few <= many + 1 holds, or this fails


def test_decimals_and_labels_below_0() -> None:
    y = np.array([-1.25, 0.3, 0.7, 4.999], dtype=np.float32)
    targets = targets_of(config(), y, 0.1)
    assert (targets.low, targets.high) == (-1.3, 5.0)
    assert bins_between(targets.low, targets.high, targets.bin_width) == 63


@given(st.sets(st.integers(-(2**24), 2**24), min_size=2, max_size=30), st.integers(-40, 60))
def test_any_labels_have_a_range(values: set[int], exponent: int) -> None:
    y = np.array([value * 2.0**exponent for value in sorted(values)], dtype=np.float32)
    width = bin_width_of(y)
    assert f"{width:e}".startswith(("1.000000e", "2.000000e", "5.000000e"))
    assert np.ptp(y.astype(np.float64)) / width <= 125 + 1e-6
    targets = targets_of(config(), y, width)
    assert np.float32(targets.low) <= y.min() <= y.max() <= np.float32(targets.high)
    assert bins_between(targets.low, targets.high, targets.bin_width) <= 127
    shots_of(config(), y, targets).of(y)


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match=r"manifest\.csv: training labels must differ, got 3 in every row"):
        targets_of(config(), labels((3, 9)), 1)
    with pytest.raises(DataError, match=r"between data\.low and data\.high, got 1\.\.101 for low 200 and high"):
        targets_of(config(low=200, high=300), YEARS, 1)
    with pytest.raises(DataError, match=r"for low 101\.5 and high 102"):
        targets_of(config(low=101.5), YEARS, 1)
    for options in ({"low": 5, "high": 5}, {"many": 5, "few": 7}, {"bin_width": 0}, {"scale": 0}, {"split_most": 0}):
        with pytest.raises(ValidationError):
            config(**options)


def test_a_manifest_elsewhere(tmp_path: Path) -> None:
    assert config(manifest="sub/m.csv").manifest_path == Path("data/sub/m.csv")
    assert config(manifest=str(tmp_path / "m.csv")).manifest_path == tmp_path / "m.csv"


def test_a_range_of_too_many_bins_is_refused() -> None:
    for low, high in ((-1e308, 1e308), (0.0, 1e17)):
        with pytest.raises(DataError, match=r"must enclose at most 2\^53 bins of width 1, got low"):
            targets_of(config(low=low, high=high), YEARS, 1)
