"""Schedules by hand: Constant, Cosine, Step, and the warm-up before any of them."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

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


@pytest.mark.parametrize("epochs", [90, 120, 9, 45, 7])
@pytest.mark.parametrize("steps", [1, 3, 48])
def test_a_ratio_drops_the_rate_at_the_step_of_the_same_epoch_as_torch(epochs: int, steps: int) -> None:
    """Every step of a training is compared with `MultiStepLR`, also for lengths that are no round number in binary."""
    first, second = epochs * 2 // 3, epochs * 8 // 9
    schedule = Step(StepConfig(name="step", milestones=(f"{first}/{epochs}", f"{second}/{epochs}"), decay=0.1))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    published = torch.optim.lr_scheduler.MultiStepLR(optimizer, [first, second], gamma=0.1)
    for epoch in range(epochs):
        rate = optimizer.param_groups[0]["lr"]
        for step in range(epoch * steps, (epoch + 1) * steps):
            assert schedule.factor(step, epochs * steps) == pytest.approx(rate, rel=1e-12)
        optimizer.step()
        published.step()


def test_a_ratio_keeps_its_place_in_a_longer_stage() -> None:
    schedule = Step(StepConfig(name="step", milestones=("60/90",), decay=0.5))
    assert [schedule.factor(step, 30) for step in (19, 20)] == [1, 0.5]
    assert [schedule.factor(step, 3000) for step in (1999, 2000)] == [1, 0.5]


def test_a_decimal_drops_at_the_fraction_as_written() -> None:
    """0.667 of 90 epochs is in epoch 61 (counted from 1): decimals cannot give the end of epoch 60."""
    schedule = Step(StepConfig(name="step", milestones=(0.667,), decay=0.5))
    assert [schedule.factor(step, 9000) for step in (6000, 6002, 6003)] == [1, 1, 0.5]


@pytest.mark.parametrize("milestone", [60, 1.5, -0.1, "80/60", "1/0", "half", "", True, None, float("nan"), [0.5]])
def test_milestones_that_no_stage_reaches_are_refused(milestone: Any) -> None:
    with pytest.raises(ValidationError, match="must be a fraction from 0 to 1 of the stage's epochs") as error:
        StepConfig(name="step", milestones=(milestone,))
    assert error.value.error_count() == 1


def test_a_milestone_stays_as_written() -> None:
    config = StepConfig(name="step", milestones=("60/90", 0.89))
    assert config.model_dump(mode="json")["milestones"] == ["60/90", 0.89]


def test_the_warm_up_multiplies_the_schedule() -> None:
    config = AdamConfig(name="adam", warmup_steps=4, schedule={"name": "step", "milestones": [0.0], "decay": 0.5})  # type: ignore[arg-type]
    assert [lr_factor(config, step, 10) for step in (0, 1, 3, 9)] == pytest.approx([0.125, 0.25, 0.5, 0.5])


def test_only_a_constant_rate_does_not_depend_on_the_length() -> None:
    configs: list[type[ScheduleConfig]] = [ConstantConfig, CosineConfig, StepConfig]
    assert [config.follows_length for config in configs] == [False, True, True]
