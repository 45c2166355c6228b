"""Schedules by hand: Constant, Cosine, Step, and the warm-up before any of them."""

import pytest

from groupdir.config.optimizers import AdamConfig
from groupdir.config.schedules import ConstantConfig, CosineConfig, ScheduleConfig, StepConfig
from groupdir.training.optim import Schedule, lr_factor
from groupdir.training.schedules import Constant, Cosine, Step


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (Constant(ConstantConfig(name="constant")), [1, 1, 1]),
        (Cosine(CosineConfig(name="cosine")), [1, 0.5, 0]),
        (Cosine(CosineConfig(name="cosine", min_lr_ratio=0.2)), [1, 0.6, 0.2]),
        (Step(StepConfig(name="step", milestones=(0.5, 1), decay=0.1)), [1, 0.1, 0.01]),
    ],
)
def test_factors_at_the_start_the_middle_and_the_end(schedule: Schedule, factors: list[float]) -> None:
    assert [schedule.factor(step, 10) for step in (0, 5, 10)] == pytest.approx(factors)


def test_the_warm_up_multiplies_the_schedule() -> None:
    config = AdamConfig(name="adam", warmup_steps=4, schedule={"name": "step", "milestones": [0.0], "decay": 0.5})  # type: ignore[arg-type]
    assert [lr_factor(config, step, 10) for step in (0, 1, 3, 9)] == pytest.approx([0.125, 0.25, 0.5, 0.5])


def test_only_a_constant_rate_does_not_depend_on_the_length() -> None:
    configs: list[type[ScheduleConfig]] = [ConstantConfig, CosineConfig, StepConfig]
    assert [config.follows_length for config in configs] == [False, True, True]
