"""Every preset for STS-B has the gradients of its published loss on scores over 5, without any factor."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.search_spaces import published
from tests.search_spaces.presets import STSB, stsb_trainer
from tests.search_spaces.steps import NONE, batch_of, check, run, train_smoothing

Pairs = tuple[Path, list[float]]
RANKED = (2, 3, 5, 6, 11, 12, 14, 15, 29, 30, 32, 33)
"""Pairs no two of whose scores are equally far from a third, so that no rank is tied."""

CASES: dict[str, published.Loss] = {
    "stsb_vanilla": published.mse,
    "stsb_inv": published.mse,
    "stsb_inv_lds": published.mse,
    "stsb_rrt": published.mse,
    "stsb_rrt_lds": published.mse,
    "stsb_focal_r": published.focal_mse,
    "stsb_ranksim": published.ranksim(published.mse, 3e-4, 2),
    "stsb_group_dir": published.joint_group_dir,
}


def test_every_preset_is_compared() -> None:
    assert {*CASES, "stsb_lds_fds"} == set(STSB)


@pytest.mark.parametrize("stem", CASES)
def test_the_last_stage_has_the_published_gradients(stem: str, stsb: Pairs) -> None:
    trainer = stsb_trainer(stem, stsb[0])
    rows = RANKED if stem == "stsb_ranksim" else tuple(range(24))
    check(trainer, run(trainer, rows), CASES[stem], 1.0, NONE)


@pytest.mark.parametrize("stem", ["stsb_rrt", "stsb_rrt_lds"])
def test_the_first_stage_has_no_weights(stem: str, stsb: Pairs) -> None:
    trainer, plain = stsb_trainer(stem, stsb[0]), stsb_trainer("stsb_vanilla", stsb[0])
    real = run(trainer, tuple(range(24)), stage=0)
    weightless = batch_of(plain, tuple(range(24)))
    assert weightless.weight.tolist() == [1.0] * 24
    check(
        trainer, type(real)(real.z, real.outputs, real.by_z, real.by_outputs, weightless, {}), published.mse, 1.0, NONE
    )
    assert trainer.stages[0].optim == trainer.stages[1].optim
    assert not trainer.stages[1].frozen_norms


def test_fds_has_the_published_gradients_after_two_epochs(stsb: Pairs) -> None:
    """Buckets are tenths of a score, and the score 5 is in the last one."""
    trainer = stsb_trainer("stsb_lds_fds", stsb[0])
    reference = published.FDS(trainer.method.encoder.dim, 0, 49, (0.5, 2.0))

    def buckets(y: Tensor) -> Tensor:
        return (y.double() * 10 + 1e-6).floor().clamp(max=49)

    train_smoothing(trainer, reference, buckets)
    real = run(trainer, tuple(range(20, 56)))
    assert bool((reference.smooth(real.z.double(), buckets(real.batch.y)) != real.z).any(1)[-6:].all())
    check(trainer, real, published.mse, 1.0, NONE, lambda z, y: reference.smooth(z, buckets(y)))


@pytest.mark.parametrize("stem", STSB)
def test_sample_weights_are_the_published_ones(stem: str, stsb: Pairs) -> None:
    weight = stsb_trainer(stem, stsb[0]).training.weight
    if stem in ("stsb_inv", "stsb_rrt", "stsb_inv_lds", "stsb_lds_fds", "stsb_rrt_lds"):
        expected = published.score_weights(stsb[1], lds="lds" in stem)
        assert weight.tolist() == pytest.approx(expected, rel=1e-6)
    else:
        assert torch.equal(weight, torch.ones(len(stsb[1])))
