"""The VAE row: three terms, a random code in training and its mean at inference; what is reconstructed."""

import pytest
import torch

from groupdir.data.base import InputSpec
from groupdir.errors import ConfigError
from groupdir.models.decoder import Decoder
from groupdir.training.trainer import Trainer
from tests.groupdir.methods.cases import trial


def test_the_loss_is_its_terms() -> None:
    trainer = Trainer(trial({"name": "vae", "lambda_kl": 0.5, "lambda_reconstruction": 3}))
    batch = trainer.training.batch(torch.arange(20), trainer.stages[0], trainer.dataset, torch.Generator())
    terms = trainer.method.losses(batch, "fit")
    expected = terms["regression"] + 0.5 * terms["kl"] + 3 * terms["reconstruction"]
    assert torch.allclose(terms["loss"], expected)
    again = trainer.method.losses(batch, "fit")
    assert not torch.equal(terms["regression"], again["regression"])  # a new draw of the code
    assert torch.equal(trainer.method.predict(*batch.inputs).value, trainer.method.predict(*batch.inputs).value)


def test_the_reconstruction_improves() -> None:
    trainer = Trainer(trial({"name": "vae", "lambda_reconstruction": 1}, train__epochs=30))
    errors = [result.metrics["train_reconstruction"] for result in trainer.epochs()]
    assert errors[-1] < 0.5 * errors[0]


def test_without_a_reconstruction_there_is_no_decoder() -> None:
    assert Trainer(trial({"name": "vae", "lambda_reconstruction": 0})).method.decoder is None


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (InputSpec("image", (1, 32, 32)), (1, 32, 32)),
        (InputSpec("image", (3, 224, 224)), (3, 32, 32)),
        (InputSpec("image", (3, 20, 30)), (3, 16, 16)),
        (InputSpec("vector", (7,)), (7,)),
        (InputSpec("embedding_pair", (2, 5)), (10,)),
    ],
)
def test_decoder_gives_what_is_aimed_at(spec: InputSpec, shape: tuple[int, ...]) -> None:
    decoder, x = Decoder(6, spec), torch.randn(3, *spec.shape)
    assert decoder(torch.randn(3, 6)).shape == decoder.aim(x).shape == (3, *shape)


def test_words_are_not_reconstructed() -> None:
    with pytest.raises(ConfigError, match=r"method\.lambda_reconstruction: words cannot be reconstructed"):
        Decoder(6, InputSpec("token_pair", (2, 40)))


def test_a_pair_is_reconstructed_in_any_order() -> None:
    decoder, pair = Decoder(6, InputSpec("embedding_pair", (2, 5))), torch.randn(3, 2, 5)
    assert torch.equal(decoder.aim(pair), decoder.aim(pair.flip(1)))
