"""The linear regressor with its parts: two stages, smoothing that follows the epochs, a regularizer that shapes."""

import math
from typing import Any

import pytest
import torch

from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError
from groupdir.losses import group_contrastive_loss
from groupdir.training.trainer import Trainer
from tests.groupdir.methods.cases import SMOOTHING, trial


def test_the_loss_is_the_weighted_mean() -> None:
    trainer = Trainer(trial({"name": "vanilla", "weights": {"mode": "inverse"}}))
    rows, stage = torch.arange(20), trainer.stages[0]
    batch = trainer.training.batch(rows, stage, trainer.dataset, torch.Generator())
    value = trainer.method.head(trainer.method.encoder(*batch.inputs)).squeeze(1)  # type: ignore[operator]
    expected = (batch.weight * (value - (batch.y - 5) / 2).square()).mean()
    assert torch.allclose(trainer.method.losses(batch, "fit")["loss"], expected)


def test_after_a_regression_pretraining_the_head_is_new_and_the_encoder_stands_still() -> None:
    method = {"name": "vanilla", "weights": {"mode": "inverse"}, "pretrain": {"epochs": 3}}
    trainer = Trainer(trial(method, optim__lr=1e-9))
    heads, encoders = [], []
    for result in trainer.epochs():
        heads.append(trainer.method.head.weight.detach().clone())  # type: ignore[union-attr, operator]
        encoders.append(trainer.method.encoder.layers[0].weight.detach().clone())  # type: ignore[union-attr, index]
        assert math.isnan(result.metrics["val_mae_all"]) == (result.stage == "pretrain")
    assert torch.allclose(heads[0], heads[2], atol=1e-5)
    assert not torch.allclose(heads[2], heads[3], atol=1e-2)  # the rate is nothing: only a new head can do this
    assert torch.allclose(heads[3], heads[6], atol=1e-5)
    assert torch.equal(encoders[2], encoders[6])


def test_the_pretraining_is_unweighted_and_may_have_a_loss_of_its_own() -> None:
    trainer = Trainer(trial({"name": "vanilla", "loss": "bmc", "pretrain": {"epochs": 1, "loss": "l1"}}))
    batch = trainer.training.batch(torch.arange(20), trainer.stages[0], trainer.dataset, torch.Generator())
    value = trainer.method.head(trainer.method.encoder(*batch.inputs)).squeeze(1)  # type: ignore[operator]
    expected = (value - (batch.y - 5) / 2).abs().mean()
    assert torch.allclose(trainer.method.losses(batch, "pretrain")["loss"], expected)
    weighted = Trainer(trial({"name": "vanilla", "weights": {"mode": "inverse"}, "pretrain": {"epochs": 1}}))
    plain = Trainer(trial({"name": "vanilla", "pretrain": {"epochs": 1}}))
    terms = []
    for other in (weighted, plain):
        batch = other.training.batch(torch.arange(20), other.stages[0], other.dataset, torch.Generator())
        terms.append(other.method.losses(batch, "pretrain")["loss"])
    assert torch.equal(*terms)


def test_rank_n_contrast_is_the_contrastive_loss_over_raw_targets_and_two_views() -> None:
    pretrain = {"by": "rank_n_contrast", "epochs": 1, "views": 2, "temperature": 1.5}
    trainer = Trainer(trial({"name": "vanilla", "pretrain": pretrain}))
    batch = trainer.training.batch(torch.arange(10), trainer.stages[0], trainer.dataset, torch.Generator())
    z = trainer.method.encoder(*batch.inputs)
    assert len(z) == 20
    expected = group_contrastive_loss(z, batch.y.repeat(2), 1.5, "negative_l2")
    assert torch.allclose(trainer.method.losses(batch, "pretrain")["loss"], expected)


def test_smoothing_collects_after_every_epoch_and_calibrates_from_the_third() -> None:
    plain = Trainer(trial({"name": "vanilla"}, train__epochs=6))
    smooth = Trainer(trial({"name": "vanilla", "smoothing": SMOOTHING}, train__epochs=6))
    losses = [[result.metrics["train_loss"] for result in trainer.epochs()] for trainer in (plain, smooth)]
    assert losses[0][:2] == losses[1][:2]
    assert losses[0][2] != losses[1][2]
    statistics = smooth.method.features.smoothing.statistics  # type: ignore[union-attr]
    assert int(statistics.updates) == 6  # type: ignore[union-attr, arg-type]


def test_a_later_start_of_the_smoothing() -> None:
    later = {**SMOOTHING, "start_epoch": 4}
    plain = Trainer(trial({"name": "vanilla"}, train__epochs=6))
    smooth = Trainer(trial({"name": "vanilla", "smoothing": later}, train__epochs=6))
    losses = [[result.metrics["train_loss"] for result in trainer.epochs()] for trainer in (plain, smooth)]
    assert losses[0][:4] == losses[1][:4]
    assert losses[0][4] != losses[1][4]


def test_the_regularizer_is_a_term_of_the_loss() -> None:
    trainer = Trainer(trial({"name": "vanilla", "regularizer": {"name": "conr", "factor": 3, "views": 1}}))
    batch = trainer.training.batch(torch.arange(40), trainer.stages[0], trainer.dataset, torch.Generator())
    terms = trainer.method.losses(batch, "fit")
    plain = Trainer(trial({"name": "vanilla"})).method.losses(batch, "fit")
    assert torch.allclose(terms["loss"], plain["loss"] + 3 * terms["regularizer"])
    assert float(terms["regularizer"].detach()) > 0


def test_resampling_trains_on_more_of_the_rare_and_weighs_what_it_made() -> None:
    plain, made = (
        Trainer(trial({"name": "vanilla", "weights": {"mode": "inverse"}, **more}))
        for more in ({}, {"resampling": {"name": "smogn"}})
    )
    share = [float((trainer.training.y > 5).float().mean()) for trainer in (plain, made)]
    assert share[1] > 1.5 * share[0]
    assert float(made.training.weight.mean()) == pytest.approx(1)
    again = Trainer(trial({"name": "vanilla", "resampling": {"name": "smogn"}}))
    assert torch.equal(again.training.y, made.training.y)


@pytest.mark.parametrize(
    ("method", "says"),
    [
        ({"smoothing": {"size": 4}}, "method.smoothing.size: must be odd, got 4"),
        ({"smoothing": {"clip": [2, 1]}}, "method.smoothing.clip: must be [low, high] with 0 < low <= high"),
        ({"regularizer": {"name": "rank"}}, "method.regularizer: unknown regularizer 'rank': did you mean 'ranksim'?"),
        ({"regularizer": {"name": "conr", "windo": 1}}, "unknown key: did you mean 'window'?"),
        ({"pretrain": {"by": "nothing"}}, "method.pretrain.by: must be one of"),
        ({"resampling": {"name": "smote"}}, "method.resampling: unknown resampler 'smote': did you mean 'smoter'?"),
    ],
)
def test_mistakes(method: dict[str, Any], says: str) -> None:
    content = {"data": {"name": "digits"}, "encoder": {"name": "convnet"}, "method": {"name": "vanilla", **method}}
    with pytest.raises(ConfigError) as error:
        TrialConfig.from_dict(content)
    assert says in str(error.value)
