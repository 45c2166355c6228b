"""Values changed by address in a configuration that a trial has written, defaults included."""

from pathlib import Path
from typing import Any

import pytest

from groupdir.config import load_space
from groupdir.config.benchmark import load_benchmark
from groupdir.errors import ConfigError
from tests.groupdir.methods.cases import JOINT, trial


def refused(method: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(ConfigError) as error:
        trial(method, **changes)
    return str(error.value)


def test_beta_is_short_for_the_option_of_the_soft_labels() -> None:
    short, long = trial({**JOINT, "beta": 2}), trial({**JOINT, "group_loss": {"name": "soft", "beta": 2}})
    assert short == long
    assert short.digest == long.digest
    assert short.to_dict()["method"]["group_loss"] == {"name": "soft", "beta": 2.0}
    assert "beta" not in short.to_dict()["method"]
    assert short.method.beta == long.method.beta == 2  # type: ignore[attr-defined]
    assert trial({**JOINT, "group_loss": "soft"}).method.beta == 1  # type: ignore[attr-defined]
    assert trial({**JOINT, "group_loss": "ce", "beta": None}).method.beta is None  # type: ignore[attr-defined]


def test_beta_is_never_ignored() -> None:
    assert "method.group_loss: method.beta belongs to group loss soft, got 'ce': remove beta" in refused(
        {**JOINT, "group_loss": "ce", "beta": 2}
    )
    assert "has beta 1, but method.beta is 2.0: remove one of them" in refused(
        {**JOINT, "group_loss": {"name": "soft", "beta": 1}, "beta": 2}
    )
    assert "method.beta: must be > 0.0, got -1" in refused(JOINT, method__beta=-1)


def test_the_short_and_the_long_form_replace_each_other() -> None:
    config = trial({**JOINT, "beta": 2})
    assert config.replaced({"method.beta": 3}).to_dict()["method"]["group_loss"] == {"name": "soft", "beta": 3.0}
    assert config.replaced({"method.group_loss.beta": 3}) == config.replaced({"method.beta": 3})
    assert config.replaced({"method.group_loss": "ce"}).to_dict()["method"]["group_loss"] == {"name": "ce"}


def test_an_option_can_be_set_where_a_plug_in_stands_by_its_name(tmp_path: Any) -> None:
    from groupdir.config.trial import TrialConfig

    path = tmp_path / "trial.yaml"
    path.write_text(
        "data: {name: digits}\nencoder: mlp\nmethod: {name: group_dir, beta: 2}\noptim: {schedule: cosine}\n"
    )
    overrides = ["method.group_loss.beta=3", "optim.schedule.min_lr_ratio=0.1", "encoder.widths=[4]"]
    content = TrialConfig.load(path, overrides).to_dict()
    assert content["method"]["group_loss"] == {"name": "soft", "beta": 3.0}
    assert content["optim"]["schedule"] == {"name": "cosine", "min_lr_ratio": 0.1}
    assert content["encoder"]["name"] == "mlp"
    changed = TrialConfig.load(path, ["method.group_loss=ce"])
    assert changed.to_dict()["method"]["group_loss"] == {"name": "ce"}, "the soft labels' beta goes with them"


@pytest.mark.parametrize(
    ("changes", "section", "expected"),
    [
        ({"optim.name": "sgd"}, "optim", {"name": "sgd", "lr": 0.01, "momentum": 0.9}),
        ({"optim.name": "sgd", "optim.momentum": 0.5}, "optim", {"name": "sgd", "momentum": 0.5}),
        ({"method.weights.mode": "sqrt_inverse"}, "weights", {"mode": "sqrt_inverse", "lds": None}),
    ],
)
def test_defaults_of_the_former_plug_in_go_with_it(
    changes: dict[str, Any], section: str, expected: dict[str, Any]
) -> None:
    content = trial({"name": "vanilla", "weights": "inverse"}).replaced(changes).to_dict()
    after = content["optim"] if section == "optim" else content["method"]["weights"]
    assert expected.items() <= after.items()
    assert not {"betas", "clip"} & set(after)


def test_an_option_that_was_chosen_does_not_disappear() -> None:
    config = trial({"name": "vanilla", "weights": {"mode": "inverse", "clip": [5, 1000]}})
    with pytest.raises(ConfigError, match=r"method\.weights\.clip: unknown key"):
        config.replaced({"method.weights.mode": "sqrt_inverse"})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"recipe": "joint", "pretrain": {"epochs": 3}}, "method.pretrain: must be null with recipe joint"),
        ({"recipe": "joint", "encoder_lr": 0.5}, "method.encoder_lr: must be 1 with recipe joint"),
        ({"recipe": "two_stage", "lambda_contrastive": 0.5}, "method.lambda_contrastive: must be 1 with recipe two_st"),
        ({"lambda_mse": 0}, "method.lambda_mse: must be > 0, got 0: the experts would never be trained"),
        ({"group_loss": {"name": "nc", "tau": 1}}, "method.group_loss.tau: unknown key: Known: length_penalty, name"),
        ({"group_loss": "softt"}, "method.group_loss: unknown group loss 'softt': did you mean 'soft'?"),
        ({"weights": {"mode": "inverse", "clip": [2, 1]}}, "method.weights.clip: must be [least, most]"),
    ],
)
def test_no_option_is_ignored(options: dict[str, Any], says: str) -> None:
    assert says in refused({"name": "group_dir", "groups": 5, **options})


BASE = "data: digits\nencoder: convnet\nmethod: {name: group_dir}\n"


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("loss", ["ce", "{name: nc}"])
def test_beta_is_not_dropped_for_another_group_loss(tmp_path: Path, order: int, loss: str) -> None:
    """`method.beta` belongs to the soft labels, so a row that names it and another loss would be told wrongly."""
    pairs = [f"method.group_loss={loss}", "method.beta=2"][::order]
    path = tmp_path / "space.yaml"
    says = r"method\.beta belongs to group loss soft, got"
    path.write_text(f"{BASE}search: {{}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        load_space(path, pairs)
    changes = ", ".join(pair.replace("=", ": ", 1) for pair in pairs)
    path.write_text(f"{BASE}search: {{ablations: {{a: {{{changes}}}}}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"space\.yaml:4: search\.ablations\.a: .*{says}"):
        load_space(path)
    axes = ", ".join(pair.replace("=", ": [", 1) + "]" for pair in pairs)
    path.write_text(f"{BASE}grid: {{{axes}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        load_benchmark(path)


def test_beta_stays_with_soft_labels_that_are_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(f"{BASE}search: {{}}\n", encoding="utf-8")
    study = load_space(path, ["method.beta=3", "method.group_loss=soft"])
    assert study.space.build({}).method.beta == 3


def test_a_section_that_is_null_and_an_option_in_it_contradict(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(f"{BASE}search: {{}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"pretrain: must not be null, because method\.pretrain\.epochs is set"):
        load_space(path, ["method.pretrain.epochs=3", "method.pretrain=null"])
