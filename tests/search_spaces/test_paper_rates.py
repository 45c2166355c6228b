"""Stages whose steps can be converted exactly move predictions in years as the source does, step by step."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from groupdir.training.optim import build_optimizer
from groupdir.training.trainer import Trainer
from tests.search_spaces import published
from tests.search_spaces.presets import TRAIN_AGES, agedb_trainer

STEPS = 6
Features = list[Tensor]


def head_in_years(trainer: Trainer, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return weights and biases of the head, in float64, of which these rows predict years."""
    weight, bias = (tensor.detach().double().clone() for tensor in trainer.method.head.parameters())  # type: ignore[union-attr]
    weight[list(rows)] *= 10
    bias[list(rows)] = 50 + 10 * bias[list(rows)]
    return weight.requires_grad_(), bias.requires_grad_()


def steps_of(trainer: Trainer, count: int) -> Features:
    """Take steps of the last stage on all samples, and return the features before each."""
    method, stage, seen = trainer.method.train(), trainer.stages[-1], list[Tensor]()
    method.encoder.train(stage.encoder_lr > 0 or not stage.frozen_norms)
    method.encoder.requires_grad_(stage.encoder_lr > 0)
    handle = method.encoder.register_forward_hook(lambda module, inputs, output: seen.append(output.detach().double()))
    optimizer = build_optimizer(method, stage)
    for number in range(count):
        draws = trainer.epoch_trainer.draws(stage, number)
        generator = torch.Generator().manual_seed(number)
        batch = trainer.training.batch(torch.arange(len(TRAIN_AGES)), stage, trainer.dataset, generator, draws)
        trainer.epoch_trainer.step(batch, stage, optimizer)
    handle.remove()
    return seen


@pytest.mark.parametrize(
    ("stem", "rate"), [("ages_rrt_lds", 1e-3), ("ages_bmc", 1e-4), ("ages_gai", 1e-4), ("ages_rank_n_contrast", 0.05)]
)
def test_a_head_alone_moves_as_in_the_source(stem: str, rate: float, agedb: Path) -> None:
    """The reference has the head of the source, in years, with the published rates of the head and of sigma."""
    trainer = agedb_trainer(stem, agedb)
    method, y, w = trainer.method, trainer.training.y.double(), trainer.training.weight.double()
    weight, bias = head_in_years(trainer, [0])
    sigma = torch.tensor(10.0, dtype=torch.float64, requires_grad=True)
    loss = published.l1
    if stem == "ages_bmc":
        loss = published.bmc(sigma)
    elif stem == "ages_gai":
        mixture = method.loss
        means, variances = 50 + 10 * mixture.means.double(), 100 * mixture.variances.double()  # type: ignore[union-attr, operator]
        loss = published.gai(sigma, means, variances, mixture.weights.double())  # type: ignore[union-attr, operator]
    groups = [{"params": [weight, bias]}, {"params": [sigma], "lr": 1e-2}]
    adam = stem != "ages_rank_n_contrast"
    optimizer = torch.optim.Adam(groups, rate) if adam else torch.optim.SGD(groups, rate, momentum=0.9)
    start = weight.detach().clone()
    for z in steps_of(trainer, STEPS):
        optimizer.zero_grad()
        loss(z @ weight.T + bias, z, y, w).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    found, _ = head_in_years(trainer, [0])
    moved = (weight.detach() - start).abs().max()
    assert float((found - weight).detach().abs().max()) < 1e-3 * float(moved)
    if stem in ("ages_bmc", "ages_gai"):
        step = float(sigma.detach()) - 10
        assert abs(step) > 0.9 * STEPS * 1e-2
        assert 10 * float(method.loss.sigma.detach()) - 10 == pytest.approx(step, rel=1e-3)  # type: ignore[union-attr, arg-type]


def test_experts_and_encoder_of_group_dir_move_as_in_the_authors_code(agedb: Path) -> None:
    """One step on a batch of 256, with the mean squared error in years and the summed soft-label loss.

    Experts and encoder take the published step. The group head takes a hundredth of it, as the preset's head says.
    """
    trainer = agedb_trainer("ages_group_dir_authors", agedb)
    method, stage = trainer.method.train(), trainer.stages[-1]
    rows = torch.arange(256) % len(TRAIN_AGES)
    batch = trainer.training.batch(
        rows, stage, trainer.dataset, torch.Generator(), trainer.epoch_trainer.draws(stage, 0)
    )
    experts = range(25, 50)
    weight, bias = head_in_years(trainer, experts)
    before = [parameter.detach().clone() for parameter in method.encoder.parameters()]
    z = method.encoder(*batch.inputs)
    loss = published.group_dir(1, 1, summed_squares=False)
    total = loss(z.double() @ weight.T + bias, z.double(), batch.y.double(), batch.weight.double())
    slopes = torch.autograd.grad(total, [weight, *method.encoder.parameters()])
    optimizer = build_optimizer(method, stage)
    trainer.epoch_trainer.step(batch, stage, optimizer)
    found, _ = head_in_years(trainer, experts)
    step, expected = found - weight.detach(), -1e-3 * (slopes[0] + 1e-4 * weight.detach())
    assert torch.allclose(step[25:], expected[25:], rtol=1e-3, atol=1e-3 * float(expected[25:].abs().max()))
    assert torch.allclose(100 * step[:25], expected[:25], rtol=1e-2, atol=1e-2 * float(expected[:25].abs().max()))
    for old, new, slope in zip(before, method.encoder.parameters(), slopes[1:], strict=True):
        want = -1e-3 * (slope + 1e-4 * old)
        assert torch.allclose(new.detach() - old, want, rtol=1e-3, atol=2e-3 * float(want.abs().max()) + 1e-7)
