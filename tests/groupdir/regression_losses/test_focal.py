"""Focal-R: the options of the YAML reach the loss."""

import numpy as np
import pytest
import torch

from groupdir.config.regression_losses import FocalConfig
from groupdir.data.base import Targets
from groupdir.regression_losses.focal import Focal

TARGETS = Targets(low=0, high=10, bin_width=1, unit="steps")


def test_by_hand() -> None:
    loss = Focal(FocalConfig(name="focal", base="mse", beta=2, gamma=1, activation="tanh"), TARGETS, np.arange(3))
    found = loss(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]), torch.tensor([1.0, 3.0]))
    assert float(found) == pytest.approx((np.tanh(2) * 1 + 3 * np.tanh(4) * 4) / 2)


def test_without_a_power_it_is_the_base() -> None:
    loss = Focal(FocalConfig(name="focal", gamma=0), TARGETS, np.arange(3))
    found = loss(torch.tensor([1.0, 0.5]), torch.tensor([0.0, 2.0]), torch.ones(2))
    assert float(found) == pytest.approx(1.25)
