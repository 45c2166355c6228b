"""MLP: how a pair of embeddings enters it."""

import torch

from tests.groupdir.models.encoders import PAIR, mlp, pairs


def test_a_pair_enters_as_difference_and_product() -> None:
    encoder = mlp(PAIR, widths=(5,)).eval()
    (given,) = pairs(3)
    u, v = given[:, 0], given[:, 1]
    linear = encoder.layers[0]
    expected = torch.relu(linear(torch.cat([torch.abs(u - v), u * v], dim=1)))
    torch.testing.assert_close(encoder(given), expected)


def test_the_order_of_a_pair_of_embeddings_does_not_matter() -> None:
    encoder = mlp(PAIR).eval()
    (given,) = pairs(6)
    assert torch.equal(encoder(given.flip(1)), encoder(given))
    assert not torch.allclose(encoder(given.roll(1, 0)), encoder(given))
