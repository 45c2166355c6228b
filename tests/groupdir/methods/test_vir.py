"""VIR: weights are evidence, features are smoothed as distributions, and the mean predicts."""

import torch

from groupdir.losses import conjugate_parameters, evidential_loss
from groupdir.training.trainer import Trainer
from tests.groupdir.methods.cases import trial


def test_rare_samples_are_weighed_by_default() -> None:
    trainer = Trainer(trial({"name": "vir"}))
    rare, frequent = trainer.training.y >= 6, trainer.training.y <= 1
    assert trainer.training.weight[rare].mean() > 1.5 * trainer.training.weight[frequent].mean()


def test_the_loss_is_its_terms_and_weights_scale_the_evidence() -> None:
    trainer = Trainer(trial({"name": "vir", "lambda_reconstruction": 2}))
    method = trainer.method
    batch = trainer.training.batch(torch.arange(20), trainer.stages[0], trainer.dataset, torch.Generator())
    torch.manual_seed(0)
    terms = method.losses(batch, "fit")
    assert torch.allclose(terms["loss"], terms["evidence"] + 2 * terms["reconstruction"])
    torch.manual_seed(0)
    z = method.encoder(*batch.inputs)
    variance = torch.nn.functional.softplus(method.spread(z)) + 1e-6  # type: ignore[operator]
    outputs = method.head(z + variance.sqrt() * torch.randn_like(z))  # type: ignore[operator]
    parameters = conjugate_parameters(outputs, batch.weight)
    assert torch.allclose(terms["evidence"], evidential_loss(parameters, (batch.y - 5) / 2, coefficient=0.01))


def test_means_and_variances_are_smoothed_from_the_third_epoch_on() -> None:
    runs = []
    for smoothing in (None, {"size": 3, "sigma": 1}):
        trainer = Trainer(trial({"name": "vir", "smoothing": smoothing}, train__epochs=4))
        runs.append([result.metrics["train_loss"] for result in trainer.epochs()])
    assert runs[0][:2] == runs[1][:2]
    assert runs[0][2] != runs[1][2]
    statistics = trainer.method.smoothing.statistics  # type: ignore[union-attr]
    assert int(statistics.updates) == 4  # type: ignore[union-attr, arg-type]
    assert float(statistics.target_spread.max()) > 0  # type: ignore[union-attr, operator]


def test_prediction_is_the_mean_without_noise() -> None:
    trainer = Trainer(trial({"name": "vir"}))
    x = trainer.training.inputs[0][:5]
    value = trainer.method.eval().predict(x).value
    head = trainer.method.head(trainer.method.encoder(x))[:, 0]  # type: ignore[operator]
    assert torch.allclose(value, 2 * head + 5)
