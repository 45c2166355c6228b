"""Plans that cannot work and plans that make no sense, as far as the YAML tells."""

from typing import Any

import pytest

from groupdir.config.concerns import plan_concerns
from groupdir.config.space import StudyConfig

NESTED = {"nested": {"outer": ["optim.lr"], "inner": 20}}
LR = {"log_uniform": [0.001, 0.1]}
CONTENT: dict[str, Any] = {
    "name": "small",
    "data": {"name": "digits"},
    "encoder": {"name": "convnet"},
    "method": {"name": "vanilla", "loss": "mse"},
    "optim": {"lr": LR},
    "train": {"epochs": 12},
    "search": {"trials": 20},
}


def found(search: dict[str, Any], **sections: Any) -> list[tuple[str, bool, str]]:
    content = {**CONTENT, **sections, "search": {"trials": 20, **search}}
    return [(each.address, each.fatal, each.text) for each in plan_concerns(StudyConfig.from_dict(content))]


def test_a_plan_that_makes_sense_has_none() -> None:
    assert found({"confirm": {}, "max_epochs": 100, "max_hours": 1, "convergence": {"trials": 5}}) == []


@pytest.mark.parametrize(
    ("search", "sections", "address", "text"),
    [
        ({"resources": {"gpu": 2}}, {}, "search.resources.gpu", "at most 1, because a trial trains on one GPU"),
        ({"resources": {"gpu": {"A100": 0.5, "T4": 2}}}, {}, "search.resources.gpu", "got 2"),
        ({"seeds": "shared"}, {"optim": {"lr": 0.01}}, "search.trials", "all 20 trials would be the same training"),
        ({"max_epochs": 11}, {}, "search.max_epochs", "at least 12, the epochs of the shortest trial"),
        ({}, {"encoder": {"name": "mlp"}}, "encoder.name", "mlp reads vector or embedding_pair"),
        ({}, {"encoder": {"name": {"choice": ["convnet", "mlp"]}}}, "encoder.name", "mlp reads vector"),
    ],
)
def test_a_plan_that_cannot_work(search: dict[str, Any], sections: dict[str, Any], address: str, text: str) -> None:
    concerns = found(search, **sections)
    assert [(where, fatal) for where, fatal, _ in concerns] == [(address, True)]
    assert text in concerns[0][2]


@pytest.mark.parametrize(
    ("search", "sections", "address", "text"),
    [
        ({}, {"optim": {"lr": 0.01}}, "search.trials", "leaves no value open, so the 20 trials repeat"),
        ({}, {"optim": {"lr": {"choice": [0.1, 0.01]}}}, "search.trials", "only 2 configurations"),
        ({}, {"optim": {"lr": 0.1, "warmup_steps": {"int_range": [1, 9], "step": 4}}}, "search.trials", "only 3 conf"),
        ({}, {"train": {"epochs": 5}}, "search.scheduler.grace_period", "not below the 5 epochs of a trial"),
        ({"scheduler": {"name": "asha", "grace_period": 12}}, {}, "search.scheduler.grace_period", "grace_period 12"),
        ({"scheduler": {"name": "pareto_asha", "min_peers": 21}}, {}, "search.scheduler.min_peers", "above the 20"),
        ({"sampler": {"name": "gp", "startup": 20}}, {}, "search.sampler.startup", "learns only after its first 20"),
        ({"max_hours": 0.001}, {}, "search.max_hours", "3.6 s"),
        ({"convergence": {"trials": 20}}, {}, "search.convergence.trials", "more than 20 of 20 trials"),
        ({"confirm": {"share": 0.05}}, {}, "search.confirm.share", "pays for 1 training"),
        ({"ablations": {"same": {"method.loss": "mse"}}}, {}, "search.ablations.same", "changes nothing"),
        (NESTED, {"train": {"epochs": 12, "batch_size": {"int_range": [8, 64]}}}, "search.nested.inner", "only one"),
    ],
)  # fmt: skip
def test_a_plan_that_makes_no_sense(search: dict[str, Any], sections: dict[str, Any], address: str, text: str) -> None:
    concerns = found(search, **sections)
    assert [(where, fatal) for where, fatal, _ in concerns] == [(address, False)]
    assert text in concerns[0][2]


def test_a_shared_first_stage_costs_no_epochs() -> None:
    """A trial whose first stage another trial has trained finishes within its own epochs."""
    pretrained = {"method": {"name": "vanilla", "pretrain": {"epochs": 30}}}
    assert found({"max_epochs": 12}, **pretrained) == []
    assert [where for where, _, _ in found({"max_epochs": 41, "share_stages": False}, **pretrained)] == [
        "search.max_epochs"
    ]
