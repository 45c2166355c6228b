"""An epoch follows from the seed and its number; its terms are means over the steps; a bad loss ends the trial."""

from typing import Any

import pytest
import torch

from groupdir.config.stage import Stage
from groupdir.errors import MethodError
from groupdir.seeds import mixed_seed
from groupdir.training.epoch import EpochTrainer
from groupdir.training.optim import build_optimizer
from groupdir.training.trainer import Trainer, run_trial
from tests.groupdir.training.test_trainer import trial


def parts(**changes: Any) -> tuple[EpochTrainer, Stage, torch.optim.Optimizer]:
    trainer = Trainer(trial("vanilla").replaced(changes))
    stage = trainer.stages[0]
    return trainer.epoch_trainer, stage, build_optimizer(trainer.method, stage)


def trained(epoch: int, done: int = 0, **changes: Any) -> dict[str, float]:
    epochs, stage, optimizer = parts(**changes)
    return epochs.train(stage, epoch, done, optimizer)


def test_an_epoch_follows_from_the_seed_and_its_number() -> None:
    first = trained(3)
    torch.rand(5)  # the generator of the process must not matter
    assert trained(3) == first
    assert trained(4) != first, "the epochs have the same order and the same dropout"
    assert trained(3, seed=6) != first


def test_the_terms_are_means_over_the_steps() -> None:
    """With a learning rate of almost 0 and no dropout the steps can be repeated one by one."""
    still = {"optim.lr": 1e-12, "encoder.dropout": 0, "train.batch_size": 32, "data.size": 96}
    mean = trained(0, **still)["loss"]
    epochs, stage, optimizer = parts(**still)
    generator = torch.Generator().manual_seed(mixed_seed(5, 0))
    order = torch.randperm(len(epochs.samples), generator=generator)
    batches = [epochs.samples.batch(rows, stage, epochs.dataset, generator) for rows in order.split(32)]
    losses = [float(epochs.step(batch, stage, optimizer)["loss"]) for batch in batches]
    assert len(losses) == 3
    assert mean == pytest.approx(sum(losses) / 3, rel=1e-6)
    assert min(losses) < mean < max(losses)


def test_a_step_leaves_no_gradients_in_its_terms() -> None:
    epochs, stage, optimizer = parts()
    batch = epochs.samples.batch(torch.arange(8), stage, epochs.dataset, torch.Generator())
    assert not any(term.requires_grad for term in epochs.step(batch, stage, optimizer).values())


def test_a_data_set_without_random_views_has_no_draws() -> None:
    epochs, stage, _ = parts()
    assert epochs.draws(stage, 0) is None


def test_nan_fails_with_epoch_step_and_terms() -> None:
    with pytest.raises(MethodError, match=r"epoch 1 \(fit\), step \d of 3: the loss must be finite .* loss nan"):
        list(run_trial(trial("vanilla").replaced({"data.broken": True})))


def test_exploding_loss_fails() -> None:
    with pytest.raises(MethodError, match=r"lower optim\.lr"):
        list(run_trial(trial("vanilla").replaced({"optim.name": "sgd", "optim.lr": 1e4, "optim.schedule": "constant"})))
