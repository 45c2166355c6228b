"""GroupDIR, the paper's method: its terms, its routing, its group losses, and the parts that it shares with others."""

import pytest
import torch

from groupdir.losses import group_contrastive_loss, soft_label_loss
from groupdir.methods.base import Batch
from groupdir.registry import TABLES
from groupdir.training.trainer import Trainer
from tests.groupdir.methods.cases import JOINT, LDS, SMOOTHING, trial


def batch_of(trainer: Trainer) -> Batch:
    return trainer.training.batch(torch.arange(40), trainer.stages[-1], trainer.dataset, torch.Generator())


def test_the_loss_is_equation_5() -> None:
    trainer = Trainer(trial({**JOINT, "weights": LDS, "lambda_contrastive": 2, "lambda_mse": 3, "lambda_soft": 5}))
    batch, method = batch_of(trainer), trainer.method
    z = method.encoder(*batch.inputs)
    outputs, group = method.head(z), method.true_group(batch.y)  # type: ignore[operator]
    assert group is not None
    chosen = outputs[torch.arange(40), 5 + group]
    regression = (batch.weight * (chosen - (batch.y - 5) / 2).square()).mean()
    expected = 2 * group_contrastive_loss(z, group, 0.5, "cosine") + 3 * regression
    expected = expected + 5 * soft_label_loss(outputs[:, :5], group, 1.0)
    assert torch.allclose(method.losses(batch, "fit")["loss"], expected, rtol=1e-5)


@pytest.mark.parametrize("group_loss", TABLES["group_loss"])
def test_the_predicted_group_chooses_the_expert(group_loss: str) -> None:
    trainer = Trainer(trial({**JOINT, "group_loss": group_loss}))
    method = trainer.method.eval()
    found = method.predict(trainer.training.inputs[0][:30])
    assert found.group is not None
    assert found.experts is not None
    assert torch.equal(found.value, found.experts[torch.arange(30), found.group])


def test_soft_routing_weighs_the_experts() -> None:
    trainer = Trainer(trial({**JOINT, "routing": "soft"}))
    method, x = trainer.method.eval(), trainer.training.inputs[0][:30]
    found = method.predict(x)
    assert found.experts is not None
    probability = method.head(method.encoder(x))[:, :5].softmax(1)  # type: ignore[operator]
    assert torch.allclose(found.value, (probability * found.experts).sum(1))


def test_the_averaged_model_predicts_and_is_another_one() -> None:
    section = {**JOINT, "group_loss": {"name": "rebat", "start": 0, "decay": 0.99}}
    trainer = Trainer(trial(section))
    for _ in trainer.epochs():
        pass
    method, x = trainer.method.eval(), trainer.training.inputs[0][:30]
    online = method.head(method.encoder(x))[:, :5].argmax(1)  # type: ignore[operator]
    encoder, layer = method.group_loss.predictors()  # type: ignore[operator, union-attr]
    average = layer(encoder(x))[:, :5].argmax(1)
    assert torch.equal(method.predict(x).group, average)  # type: ignore[arg-type]
    assert not torch.equal(method.head.weight, layer.weight)  # type: ignore[union-attr, arg-type]
    assert online.shape == average.shape


def test_smoothing_and_a_regularizer_go_with_it() -> None:
    section = {**JOINT, "smoothing": SMOOTHING, "regularizer": {"name": "ranksim", "factor": 2}}
    trainer = Trainer(trial(section))
    batch, plain = batch_of(trainer), Trainer(trial(JOINT)).method.losses(batch_of(Trainer(trial(JOINT))), "fit")
    torch.manual_seed(0)
    terms = trainer.method.losses(batch, "fit")
    assert torch.allclose(terms["loss"], plain["loss"] + 2 * terms["regularizer"])
    for _ in trainer.epochs():
        pass
    assert int(trainer.method.features.smoothing.statistics.updates) == 4  # type: ignore[union-attr, arg-type]


def test_two_views_come_from_either_side() -> None:
    assert Trainer(trial({**JOINT, "views": 2})).stages[0].views == 2
    assert Trainer(trial({**JOINT, "regularizer": {"name": "conr"}})).stages[0].views == 2
