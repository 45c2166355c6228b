"""The two modes from counts, by hand; `tests/groupdir/test_labels.py` has them against a slow reference."""

import numpy as np
import pytest

from groupdir.config.weights import InverseConfig, LDSConfig, SqrtInverseConfig
from groupdir.labels import LDS
from groupdir.weights.base import LabelCounts, SampleWeights
from groupdir.weights.inverse import Inverse, SqrtInverse

Y = np.array([0.0, 0.5, 0.9, 0.2, 3.0])
COUNTS = LabelCounts.of(Y, 1.0, 0.0, 5.0)


def test_labels_are_counted_with_the_empty_bins() -> None:
    assert COUNTS.bins.tolist() == [0, 0, 0, 0, 3]
    assert COUNTS.counts.tolist() == [4, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Inverse(InverseConfig(mode="inverse")), 1 / 4),
        (Inverse(InverseConfig(mode="inverse", clip=(1, 2))), 1 / 2),
        (SqrtInverse(SqrtInverseConfig(mode="sqrt_inverse")), 1 / 2),
    ],
)
def test_a_frequent_label_weighs_less_than_a_rare_one(mode: SampleWeights, expected: float) -> None:
    weight = mode.weigh(COUNTS)
    assert weight.tolist() == [expected] * 4 + [1]


def test_counts_are_smoothed_before_they_are_inverted() -> None:
    lds = LDSConfig(kernel="laplace", size=3, sigma=1)
    side = LDS("laplace", 3, 1).window()[0]
    near = LabelCounts.of(np.array([0.0, 0.5, 1.5]), 1.0, 0.0, None)
    weight = Inverse(InverseConfig(mode="inverse", lds=lds)).weigh(near)
    assert weight == pytest.approx([1 / (2 + side), 1 / (2 + side), 1 / (1 + 2 * side)])


def test_weights_have_mean_1_whatever_the_mode() -> None:
    weight = Inverse.from_options({"mode": "inverse"}).weights(Y, bin_width=1, low=0, high=None)
    assert weight.dtype == np.float32
    assert weight.mean() == pytest.approx(1)


class Negative(SampleWeights):
    """A mode of one's own that is wrong."""

    class Config(InverseConfig):
        pass

    def weigh(self, labels: LabelCounts) -> np.ndarray:
        return -np.ones(len(labels.y))


def test_weights_must_be_positive() -> None:
    mode = Negative(Negative.Config(mode="negative"))
    with pytest.raises(ValueError, match=r"must give 5 finite weights > 0, got shape .* least -1, most -1"):
        mode.weights(Y, bin_width=1, low=0, high=None)
