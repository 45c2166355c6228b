"""Adam, AdamW and SGD are torch's with the options of the section."""

import pytest
import torch
from torch import nn

from groupdir.errors import ConfigError
from groupdir.registry import resolve, resolve_config
from groupdir.training.optimizers import SGD, Adam, AdamW
from tests.groupdir.methods.cases import trial

CASES = [
    (Adam, "adam", {"betas": [0.8, 0.9]}, torch.optim.Adam, {"betas": (0.8, 0.9)}),
    (AdamW, "adamw", {}, torch.optim.AdamW, {"betas": (0.9, 0.999)}),
    (SGD, "sgd", {"momentum": 0.5}, torch.optim.SGD, {"momentum": 0.5}),
]


@pytest.mark.parametrize(("cls", "name", "options", "reference", "torch_options"), CASES)
def test_it_steps_as_torchs(cls: type, name: str, options: dict, reference: type, torch_options: dict) -> None:  # type: ignore[type-arg]
    config = resolve_config("optimizer", name).model_validate({"name": name, "lr": 0.1, "weight_decay": 0.2, **options})
    ours, theirs = (nn.Parameter(torch.tensor([1.0, -2.0])) for _ in "ab")
    assert resolve("optimizer", name) is cls
    steps = [(ours, cls(config, [{"params": [ours]}], None))]
    steps.append((theirs, reference([theirs], lr=0.1, weight_decay=0.2, **torch_options)))
    for parameter, optimizer in steps:
        for _ in range(3):
            optimizer.zero_grad()
            (parameter**3).sum().backward()
            optimizer.step()
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("optim", "says"),
    [
        ({"name": "sgd", "betas": [0.9, 0.99]}, "optim.betas: unknown key"),
        ({"momentum": 0.9}, "optim.momentum: unknown key"),
        ({"name": "sgdd"}, "optim: unknown optimizer 'sgdd': did you mean 'sgd'?"),
        ({"schedule": "cosin"}, "optim.schedule: unknown schedule 'cosin': did you mean 'cosine'?"),
        ({"schedule": {"name": "cosine", "decay": 0.1}}, "optim.schedule.decay: unknown key: Known: min_lr_ratio"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(optim: dict, says: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigError) as error:
        trial({"name": "vanilla"}, optim)
    assert says in str(error.value)
