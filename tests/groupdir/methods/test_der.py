"""The evidential head: its loss, its prediction, and evidence that follows the data."""

import torch

from groupdir.config.trial import TrialConfig
from groupdir.losses import evidential_loss, evidential_parameters
from groupdir.training.trainer import Trainer
from tests.groupdir.methods.cases import LDS, trial


def test_loss_and_prediction_are_those_of_the_four_parameters() -> None:
    trainer = Trainer(trial({"name": "der", "weights": LDS, "sharpness": 0.5, "coefficient": 0.3}))
    method = trainer.method
    batch = trainer.training.batch(torch.arange(20), trainer.stages[0], trainer.dataset, torch.Generator())
    outputs = method.head(method.encoder(*batch.inputs))  # type: ignore[operator]
    parameters = evidential_parameters(outputs, sharpness=0.5)
    expected = evidential_loss(parameters, (batch.y - 5) / 2, coefficient=0.3, weight=batch.weight)
    assert torch.allclose(method.losses(batch, "fit")["loss"], expected)
    assert torch.allclose(method.predict(*batch.inputs).value, outputs[:, 0] * 2 + 5)


def test_evidence_is_larger_where_there_was_data() -> None:
    trainer = Trainer(trial({"name": "der"}, train__epochs=40))
    for _ in trainer.epochs():
        pass
    val = trainer.dataset.split("val")
    method = trainer.method.eval()
    with torch.no_grad():
        outputs = method.head(method.encoder(torch.from_numpy(val.inputs[0])))  # type: ignore[operator]
    _, nu, alpha, beta = evidential_parameters(outputs, sharpness=1.0).unbind(1)
    variance = beta / (nu * (alpha - 1))
    y = torch.from_numpy(val.y)
    assert float(variance[y <= 2].median()) < float(variance[y >= 7].median())


def test_a_scale_of_one_is_not_written_so_that_older_digests_stay() -> None:
    for name in ("der", "vir"):
        plain, scaled = trial({"name": name}), trial({"name": name, "beta_scale": 0.01})
        assert "beta_scale" not in plain.to_dict()["method"]
        assert scaled.to_dict()["method"]["beta_scale"] == 0.01
        assert TrialConfig.from_dict(plain.to_dict()) == plain
        assert TrialConfig.from_dict(scaled.to_dict()) == scaled
        assert scaled.replaced({"method.beta_scale": 1}).digest == plain.digest
