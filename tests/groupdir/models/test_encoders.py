"""Encoders: the width of their features, what they read, what does and does not change the features."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from groupdir.config.encoders import BiLSTMConfig, ConvNetConfig, MLPConfig, ResNetConfig
from groupdir.config.trial import EncoderConfig, TrialConfig
from groupdir.data.base import InputSpec
from groupdir.data.text.tokens import PAD, UNKNOWN, encode
from groupdir.errors import ConfigError, DataError
from groupdir.models.base import Encoder
from groupdir.models.bilstm import BiLSTM
from groupdir.models.convnet import ConvNet
from groupdir.models.mlp import MLP
from groupdir.models.resnet import BUILDERS, ResNet
from groupdir.registry import ENCODERS, resolve

VOCABULARY = (PAD, UNKNOWN, "a", "dog", "runs", "home", ".")
VECTORS = np.random.default_rng(0).normal(size=(len(VOCABULARY), 5)).astype(np.float32) * np.array([[0]] + [[1]] * 6)
LENGTH = 6

IMAGE = InputSpec("image", (1, 32, 32))
PHOTO = InputSpec("image", (3, 64, 64))
VECTOR = InputSpec("vector", (7,))
PAIR = InputSpec("embedding_pair", (2, 7))
TOKENS = InputSpec("token_pair", (2, LENGTH), VECTORS.astype(np.float32), VOCABULARY)
SPECS = (IMAGE, VECTOR, PAIR, TOKENS)


def sentences(*pairs: tuple[str, str], length: int = LENGTH) -> tuple[Tensor, ...]:
    return tuple(map(torch.from_numpy, encode(pairs, VOCABULARY, length)))


def convnet(**options: Any) -> ConvNet:
    return ConvNet(ConvNetConfig(name="convnet", **options), IMAGE)


def mlp(spec: InputSpec, **options: Any) -> MLP:
    return MLP(MLPConfig(name="mlp", **options), spec)


def bilstm(**options: Any) -> BiLSTM:
    return BiLSTM(BiLSTMConfig(name="bilstm", **{"width": 4} | options), TOKENS)


def resnet(spec: InputSpec = PHOTO, **options: Any) -> ResNet:
    return ResNet(ResNetConfig(name="resnet", **{"depth": 18} | options), spec)


def photos(size: int) -> tuple[Tensor, ...]:
    return (torch.randn(size, 3, 64, 64, generator=torch.Generator().manual_seed(0)),)


def images(size: int) -> tuple[Tensor, ...]:
    return (torch.randn(size, 1, 32, 32, generator=torch.Generator().manual_seed(0)),)


def vectors(size: int) -> tuple[Tensor, ...]:
    return (torch.randn(size, 7, generator=torch.Generator().manual_seed(0)),)


def pairs(size: int) -> tuple[Tensor, ...]:
    return (torch.randn(size, 2, 7, generator=torch.Generator().manual_seed(0)),)


def texts(size: int) -> tuple[Tensor, ...]:
    given = [("a dog runs home .", "a dog"), ("dog", "runs runs ."), ("zebra", ""), ("home . . . . .", "a a")]
    return sentences(*(given[k % 4] for k in range(size)))


Case = tuple[Callable[[], Encoder], Callable[[int], tuple[Tensor, ...]], int]
CASES: dict[str, Case] = {
    "convnet": (convnet, images, 128),
    "mlp": (lambda: mlp(VECTOR), vectors, 256),
    "mlp of pairs": (lambda: mlp(PAIR, widths=(9, 3), dropout=0.2), pairs, 3),
    "bilstm": (bilstm, texts, 32),
    "resnet": (resnet, photos, 512),
    "bilstm of one layer": (lambda: bilstm(layers=1, width=3), texts, 24),
}


@pytest.fixture(autouse=True)
def _same_weights_every_time() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def seeded(build: Callable[[], Encoder], seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    return build()


def test_every_registered_encoder_is_tested() -> None:
    built = {type(build()) for build, _, _ in CASES.values()}
    assert {resolve("encoder", name) for name in ENCODERS} == built
    for name in ENCODERS:
        found = resolve("encoder", name)
        assert issubclass(found, Encoder)
        assert issubclass(found.Config, EncoderConfig)
        assert set(found.kinds) <= set(get_args(get_type_hints(InputSpec)["kind"]))


def test_features_are_as_wide_as_promised(case: Case) -> None:
    build, inputs, dim = case
    encoder = build()
    assert encoder.dim == dim
    for size in (1, 5):
        features = encoder.eval()(*inputs(size))
        assert features.shape == (size, dim)
        assert features.dtype == torch.float32
        assert features.isfinite().all()
    assert features.std() > 0


def test_one_row_alone_has_the_same_features(case: Case) -> None:
    build, inputs, _ = case
    encoder = build().eval()
    together = encoder(*inputs(4))
    for row in range(4):
        alone = encoder(*(part[row : row + 1] for part in inputs(4)))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-5, atol=1e-6)


def test_a_batch_of_one_can_be_trained_on(case: Case) -> None:
    build, inputs, _ = case
    encoder = build().train()
    encoder(*inputs(1)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


def test_inputs_are_left_alone(case: Case) -> None:
    build, inputs, _ = case
    given = inputs(4)
    before = copy.deepcopy(given)
    build().train()(*given).sum().backward()
    assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True))


def test_a_seed_builds_the_same_weights_and_another_seed_others(case: Case) -> None:
    build, inputs, _ = case
    first, again, other = seeded(build), seeded(build), seeded(build, 1)
    assert list(first.state_dict()) == list(again.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))
    features = [encoder.eval()(*inputs(3)) for encoder in (first, again, other)]
    assert torch.equal(features[0], features[1])
    assert not torch.allclose(features[0], features[2])


def test_a_state_dict_brings_the_features_back(case: Case) -> None:
    build, inputs, _ = case
    trained = seeded(build).train()
    optimizer = torch.optim.SGD(trained.parameters(), 0.1)
    trained(*inputs(4)).square().sum().backward()
    optimizer.step()
    other = seeded(build, 1)
    other.load_state_dict(copy.deepcopy(trained.state_dict()))
    features = trained.eval()(*inputs(4))
    assert torch.equal(other.eval()(*inputs(4)), features)
    assert not torch.equal(seeded(build).eval()(*inputs(4)), features)  # the step did change something


def test_every_weight_takes_part(case: Case) -> None:
    build, inputs, _ = case
    encoder = seeded(build).train()
    features = encoder(*inputs(4))
    (features * torch.randn(features.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    without = [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


def test_dropout_is_off_in_evaluation() -> None:
    for encoder, given in ((mlp(VECTOR, dropout=0.5), vectors(3)), (bilstm(dropout=0.5), texts(3))):
        torch.manual_seed(0)
        assert not torch.equal(encoder.train()(*given), encoder(*given))
        assert torch.equal(encoder.eval()(*given), encoder(*given))


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_other_inputs_are_refused(name: str, spec: InputSpec) -> None:
    found = resolve("encoder", name)
    config = found.Config(name=name)  # type: ignore[attr-defined]
    if spec.kind in found.kinds:  # type: ignore[attr-defined]
        if name != "bilstm":  # 60 million weights
            found(config, spec)
        return
    with pytest.raises(ConfigError) as error:
        found(config, spec)
    assert str(error.value).startswith(f"encoder.name: {name} reads ")
    assert f"but the data set gives {spec.kind}" in str(error.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "vit"}, "unknown encoder 'vit': "),
        ({"name": "resnet", "depth": 101}, "encoder.depth: must be one of 18, 34 or 50, got 101"),
        ({"name": "convnett"}, "did you mean 'convnet'?"),
        ({"name": "convnet", "widths": [16, 0]}, "encoder.widths.1: must be > 0, got 0"),
        ({"name": "convnet", "widths": []}, "encoder.widths: tuple should have at least 1 item"),
        ({"name": "convnet", "widths": "wide"}, "encoder.widths: must be a list, got 'wide'"),
        ({"name": "convnet", "dropout": 0.1}, "encoder.dropout: unknown key"),
        ({"name": "mlp", "widths": [256, -1]}, "encoder.widths.1: must be > 0, got -1"),
        ({"name": "mlp", "widths": [2.5, 3]}, "encoder.widths.0: must be a whole number, got 2.5"),
        ({"name": "mlp", "dropout": 1}, "encoder.dropout: must be < 1.0, got 1"),
        ({"name": "mlp", "width": 3}, "encoder.width: unknown key: did you mean 'widths'?"),
        ({"name": "bilstm", "width": 0}, "encoder.width: must be >= 1, got 0"),
        ({"name": "bilstm", "layers": 0}, "encoder.layers: must be >= 1, got 0"),
        ({"name": "bilstm", "dropout": -0.1}, "encoder.dropout: must be >= 0.0, got -0.1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as error:
        TrialConfig.from_dict({"data": {"name": "digits"}, "encoder": options, "method": {"name": "vanilla"}})
    (mistake,) = str(error.value).splitlines()
    assert says in mistake


# ConvNet


def test_the_convnet_is_the_one_described() -> None:
    layers = list(convnet().layers)
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [(1, 16), (16, 32), (32, 64), (64, 128)]
    assert all((c.kernel_size, c.stride, c.padding) == ((3, 3), (2, 2), (1, 1)) for c in convolutions)
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] * 4
    assert sum(p.numel() for p in convnet().parameters()) == 9 * (16 + 16 * 32 + 32 * 64 + 64 * 128) + 2 * 240


def test_features_are_means_over_the_picture() -> None:
    encoder = convnet(widths=(3,)).eval()
    (pictures,) = images(2)
    torch.testing.assert_close(encoder(pictures), encoder.layers(pictures).flatten(2).mean(2))


def test_a_deep_convnet_can_be_trained_on_one_picture() -> None:
    encoder = convnet(widths=(4,) * 7).train()  # one pixel would be left, and batch norm has no variance of one
    encoder(*images(1)).sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_colours_and_other_sizes_are_read() -> None:
    encoder = ConvNet(ConvNetConfig(name="convnet", widths=(4, 8)), InputSpec("image", (3, 20, 28)))
    assert encoder(torch.randn(2, 3, 20, 28)).shape == (2, 8)


# ResNet


def tiny_photos(channels: int = 3) -> Tensor:
    return torch.randn(2, channels, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("depth", "dim"), [(18, 512), (34, 512), (50, 2048)])
def test_a_resnet_is_torchvisions_up_to_its_classifier(depth: int, dim: int, tmp_path: Path) -> None:
    whole = BUILDERS[depth]().eval()
    torch.save(whole.state_dict(), tmp_path / "weights.pt")
    encoder = resnet(depth=depth, weights=str(tmp_path / "weights.pt")).eval()
    assert encoder.dim == dim
    assert not any("fc" in name for name, _ in encoder.named_parameters())
    features = encoder(tiny_photos())
    assert features.shape == (2, dim)
    torch.testing.assert_close(whole.fc(features), whole(tiny_photos()))


def test_grey_pictures_enter_as_three_equal_channels_would(tmp_path: Path) -> None:
    whole = resnet()
    torch.save(whole.network.state_dict(), tmp_path / "weights.pt")
    grey = resnet(InputSpec("image", (1, 64, 64)), weights=str(tmp_path / "weights.pt")).eval()
    given = tiny_photos(1)
    torch.testing.assert_close(grey(given), whole.eval()(given.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)
    assert resnet(InputSpec("image", (4, 64, 64))).eval()(tiny_photos(4)).shape == (2, 512)


def test_weights_that_cannot_be_taken_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    with pytest.raises(DataError, match=r"encoder\.weights: .*weights\.pt cannot be read"):
        resnet(weights=str(path))
    path.write_bytes(b"no weights")
    with pytest.raises(DataError, match=r"encoder\.weights: .*weights\.pt cannot be read"):
        resnet(weights=str(path))
    torch.save({"model": {}}, path)
    with pytest.raises(DataError, match="must hold the state_dict of a torchvision ResNet, but has no conv1"):
        resnet(weights=str(path))
    torch.save(resnet().network.state_dict(), path)
    with pytest.raises(DataError, match=r"belongs to another network: .*: set encoder\.depth"):
        resnet(weights=str(path), depth=34)


# MLP


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


# BiLSTM


def test_pair_features_are_a_b_their_difference_and_product() -> None:
    encoder = bilstm().eval()
    a, b, difference, product = encoder(*texts(4)).chunk(4, dim=1)
    torch.testing.assert_close(difference, (a - b).abs())
    torch.testing.assert_close(product, a * b)


def test_swapping_a_pair_swaps_a_and_b_and_leaves_the_rest() -> None:
    encoder = bilstm().eval()
    tokens, lengths = texts(4)
    straight, swapped = encoder(tokens, lengths), encoder(tokens.flip(1), lengths.flip(1))
    a, b, difference, product = straight.chunk(4, dim=1)
    torch.testing.assert_close(swapped, torch.cat([b, a, difference, product], dim=1))
    assert not torch.allclose(a, b)


def test_a_sentence_feature_is_the_maximum_over_its_own_words() -> None:
    encoder = bilstm().eval()
    a = encoder(*sentences(("a dog runs", "a")))[0, :8]
    words = encoder.vectors[torch.tensor([[2, 3, 4]])]
    states, _ = encoder.lstm(words)  # no padding, nothing packed
    torch.testing.assert_close(a, states[0].amax(0))


def test_padding_does_not_change_the_features() -> None:
    encoder = bilstm().eval()
    given = (("a dog", "runs home ."), ("dog", "a"))
    short, long = encoder(*sentences(*given, length=3)), encoder(*sentences(*given, length=30))
    torch.testing.assert_close(short, long)
    beside_a_long_one = encoder(*sentences(*given, ("a dog runs home . .", "."), length=30))[:2]
    torch.testing.assert_close(beside_a_long_one, short)


def test_the_vector_of_the_padding_is_never_read() -> None:
    encoder = bilstm().eval()
    features = encoder(*texts(4))
    encoder.vectors[0] = 1e6
    torch.testing.assert_close(encoder(*texts(4)), features)


def test_word_vectors_are_frozen_and_travel_with_the_weights() -> None:
    encoder = bilstm().train()
    encoder(*texts(4)).sum().backward()
    assert not encoder.vectors.requires_grad
    assert "vectors" not in dict(encoder.named_parameters())
    assert torch.equal(encoder.state_dict()["vectors"], torch.from_numpy(TOKENS.vectors))
    encoder.vectors[2] = 7.0
    assert TOKENS.vectors is not None
    assert TOKENS.vectors[2, 0] != 7.0  # a copy: trials of a node share the array


def test_unknown_words_and_empty_sentences_are_the_unknown_token() -> None:
    encoder = bilstm().eval()
    features = encoder(*sentences(("zebra", ""), ("dog zebra", "dog yak")))
    assert features.isfinite().all()
    a, b, difference, _ = features.chunk(4, dim=1)
    torch.testing.assert_close(a, b)
    torch.testing.assert_close(difference, torch.zeros_like(difference))
    known = encoder(*sentences(("dog", "dog")))[:, :8]
    assert not torch.allclose(a[:1], known)


def test_the_order_of_words_matters() -> None:
    encoder = bilstm().eval()
    a, b = encoder(*sentences(("a dog runs", "runs dog a")))[0, :16].chunk(2)
    assert not torch.allclose(a, b)


def test_half_precision_gives_finite_features_and_gradients() -> None:
    for build, inputs, _ in CASES.values():
        encoder = build().train()
        with torch.autocast("cpu", torch.bfloat16):
            features = encoder(*inputs(4))
        features.float().sum().backward()
        assert features.isfinite().all()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())
