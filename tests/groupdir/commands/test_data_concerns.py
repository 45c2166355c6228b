"""Concerns that the labels of a data set show: metrics without samples, batches and groups that are too many."""

from typing import Any

import numpy as np
import pytest

from groupdir.commands.data_concerns import Data, data_concerns
from groupdir.config.space import StudyConfig
from groupdir.data.base import InputSpec, Targets
from groupdir.metrics import ShotSplit
from tests.toy.parts import Waves

CONTENT: dict[str, Any] = {
    "name": "small",
    "data": {"name": "tests.toy.parts:Waves"},
    "encoder": {"name": "mlp", "widths": [8]},
    "method": {"name": "vanilla"},
    "optim": {"lr": {"log_uniform": [0.001, 0.1]}},
    "train": {"epochs": 2, "batch_size": 32},
    "search": {"scheduler": {"name": "none"}},
}
TRAIN = np.repeat([1.0, 2.0, 3.0], [200, 50, 5]).astype(np.float32)


class Labelled(Waves):
    """A data set with given labels."""

    def __init__(self, val: list[float]) -> None:
        super().__init__(Waves.Config(name="tests.toy.parts:Waves"))
        self.val = np.array(val, np.float32)

    @property
    def targets(self) -> Targets:
        return Targets(low=0, high=10, bin_width=1, unit="steps")

    @property
    def inputs(self) -> InputSpec:
        return InputSpec("vector", (8,))

    @property
    def shots(self) -> ShotSplit:
        return ShotSplit.from_train(TRAIN)

    def labels(self, name: str) -> np.ndarray:
        return TRAIN if name == "train" else self.val


def found(val: list[float], search: dict[str, Any] | None = None, **sections: Any) -> list[tuple[str, str, bool]]:
    content = {**CONTENT, **sections, "search": search or CONTENT["search"]}
    study = StudyConfig.from_dict(content)
    data = Data.of(Labelled(val), study.space.corner_trials, study.search)
    return [(each.address, each.text, each.fatal) for each in data_concerns(data)]


@pytest.mark.parametrize(
    ("val", "wrong"),
    [
        ([1.0, 2.0, 3.0] * 2, []),
        ([1.0, 2.0] * 2, ["few"]),
        ([2.0] * 2, ["many", "few"]),
        ([1.0, 1.0, 2.0, 2.0, 3.0], ["few"]),
        ([], ["many", "median", "few"]),
    ],
)
def test_objectives_that_no_sample_could_measure_are_refused(val: list[float], wrong: list[str]) -> None:
    """They would be NaN in every epoch, and every trial would be stopped at its first rung."""
    fatal = [address for address, _, is_fatal in found(val) if is_fatal]
    assert [address for address in fatal if "objectives" in address] == [
        f"search.objectives.val_mae_{shot}" for shot in wrong
    ]


@pytest.mark.parametrize(
    ("val", "messages"),
    [
        ([1.0, 3.0, 3.0], []),
        (
            [1.0, 3.0],
            [f"{name} needs 2 validation samples with a few-shot label, got 1" for name in ("MAE", "Pearson")],
        ),
        ([1.0, 1.0], ["no validation sample has a few-shot label"] * 2),
    ],
)
def test_the_samples_that_a_metric_needs_are_counted(val: list[float], messages: list[str]) -> None:
    """The error of a single few-shot sample is luck; a constraint on none would be broken by every trial."""
    search = {
        "objectives": ["val_mae_few"],
        "constraints": {"val_pearson_few": ">= 0.5"},
        "scheduler": {"name": "none"},
    }
    concerns = [concern for concern in found(val, search) if concern[2]]
    assert [text for _, text, _ in concerns] == [
        f"cannot be measured: {text}: add such rows, change data.bin_width, data.many or data.few, or remove the metric"
        for text in messages
    ]
    assert not messages or concerns[-1][0] == "search.constraints.val_pearson_few"


def test_batches_and_groups_that_are_too_large_are_noted() -> None:
    groups = {"name": "group_dir", "recipe": "joint", "groups": {"choice": [2, 5]}}
    enough = [1.0, 2.0, 3.0] * 20
    concerns = found(enough, train={"epochs": 2, "batch_size": 256}, method=groups)
    assert [(address, fatal) for address, _, fatal in concerns] == [
        ("train.batch_size", False),
        ("method.groups", False),
    ]
    assert "256 is above the 255 training samples" in concerns[0][1]
    assert "5 groups are more than the 3 label bins with training samples" in concerns[1][1]
    assert not found(enough, train={"epochs": 2, "batch_size": 255})
