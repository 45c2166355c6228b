"""The balanced MSEs: what they take from the training labels, and the noise scale that they learn."""

import numpy as np
import pytest
import torch

from groupdir.config.regression_losses import GMMIntegrationConfig
from groupdir.config.trial import TrialConfig
from groupdir.data.base import Targets
from groupdir.errors import ConfigError
from groupdir.registry import resolve
from groupdir.regression_losses.balanced import BucketIntegration, GMMIntegration
from groupdir.training.trainer import Trainer
from tests.groupdir.methods.cases import trial

TARGETS = Targets(low=0, high=10, bin_width=1, unit="steps", center=5, scale=2)
Y = np.array([1.0, 1, 1, 3], dtype=np.float32)


def test_buckets_are_the_label_histogram_in_network_units() -> None:
    loss = BucketIntegration(BucketIntegration.Config(name="bni"), TARGETS, Y)
    assert loss.centers.tolist() == [-2, -1]
    assert loss.weights.tolist() == [0.75, 0.25]


def test_mixture_is_fitted_to_the_labels_and_never_larger_than_they_are_distinct() -> None:
    loss = GMMIntegration(GMMIntegrationConfig(name="gai"), TARGETS, Y)
    assert sorted(loss.means.tolist()) == pytest.approx([-2, -1])
    assert sorted(loss.weights.tolist()) == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize("name", ["bmc", "gai", "bni"])
def test_sigma_is_learned_with_its_own_rate_and_does_not_decay(name: str) -> None:
    trainer = Trainer(trial({"name": "vanilla", "loss": {"name": name, "sigma": 1, "sigma_lr": 0.5}}))
    next(trainer.epochs())
    assert trainer.optimizer is not None
    groups = [group for group in trainer.optimizer.param_groups if group["base_lr"] == 0.5]
    assert [len(group["params"]) for group in groups] == [1]
    assert groups[0]["weight_decay"] == 0
    assert float(groups[0]["params"][0].detach()) != 1


@pytest.mark.parametrize("name", ["bmc", "gai", "bni"])
def test_sigma_can_stay_fixed(name: str) -> None:
    trainer = Trainer(trial({"name": "vanilla", "loss": {"name": name, "sigma": 1, "sigma_lr": 0}}))
    next(trainer.epochs())
    assert float(trainer.method.loss.sigma) == 1  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize("name", ["bmc", "gai", "bni"])
def test_weights_are_refused(name: str) -> None:
    section = {"name": "vanilla", "loss": name, "weights": {"mode": "inverse"}}
    with pytest.raises(ConfigError, match=f"loss {name} balances by itself and takes no weights"):
        TrialConfig.from_dict({"data": {"name": "digits"}, "encoder": {"name": "convnet"}, "method": section})


def test_predictions_move_towards_rare_labels() -> None:
    """The optimum of a squared error lies near the frequent labels; a balanced one gives the frequent prior back."""
    noisy = torch.full((4,), -1.8, requires_grad=True)
    target = torch.tensor([-2.0, -2.0, -2.0, -1.0])
    for name in ("bmc", "gai", "bni"):
        cls = resolve("regression_loss", name)
        loss = cls(cls.Config(name=name, sigma=1), TARGETS, Y)  # type: ignore[attr-defined]
        (slope,) = torch.autograd.grad(loss(noisy, target, torch.ones(4)), noisy)
        (plain,) = torch.autograd.grad((noisy - target).square().mean(), noisy)
        assert slope.sum() < plain.sum(), name
