"""What is asked of every encoder: width and type of the features, what changes them, what is refused."""

import copy
from collections.abc import Callable
from typing import get_args, get_type_hints

import pytest
import torch

from groupdir.config.trial import EncoderConfig, TrialConfig
from groupdir.data.base import InputSpec
from groupdir.errors import ConfigError
from groupdir.models.base import Encoder
from groupdir.registry import TABLES, resolve
from tests.groupdir.models.encoders import CASES, SPECS, VECTOR, Case, bilstm, mlp, texts, vectors


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
    assert {resolve("encoder", name) for name in TABLES["encoder"]} == built
    for name in TABLES["encoder"]:
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


@pytest.mark.parametrize("name", TABLES["encoder"])
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
        ({"name": "convnet", "widths": []}, "encoder.widths: must have entries, at least 1, got []"),
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


def test_half_precision_gives_finite_features_and_gradients() -> None:
    for build, inputs, _ in CASES.values():
        encoder = build().train()
        with torch.autocast("cpu", torch.bfloat16):
            features = encoder(*inputs(4))
        features.float().sum().backward()
        assert features.isfinite().all()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())
