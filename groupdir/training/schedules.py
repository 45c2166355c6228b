"""Schedules of the learning rate. Each is a pure function of the step, so a resume needs no state of a schedule."""

from __future__ import annotations

import math

from groupdir.config.schedules import ConstantConfig, CosineConfig, StepConfig, fraction
from groupdir.training.optim import Schedule


class Constant(Schedule):
    """Schedule with the same rate at every step."""

    Config = ConstantConfig

    def factor(self, step: int, steps: int) -> float:
        """See `Schedule.factor`."""
        return 1.0


class Cosine(Schedule):
    """Schedule of half a cosine, from the full rate down to `min_lr_ratio` of it."""

    Config = CosineConfig

    def __init__(self, config: CosineConfig) -> None:
        super().__init__(config)
        self.low = config.min_lr_ratio

    def factor(self, step: int, steps: int) -> float:
        """See `Schedule.factor`."""
        return self.low + (1 - self.low) * (1 + math.cos(math.pi * (step / steps))) / 2


class Step(Schedule):
    """Schedule that multiplies the rate by `decay` at each of the `milestones`."""

    Config = StepConfig

    def __init__(self, config: StepConfig) -> None:
        super().__init__(config)
        self.milestones, self.decay = [fraction(milestone) for milestone in config.milestones], config.decay

    def factor(self, step: int, steps: int) -> float:
        """See `Schedule.factor`."""
        passed = sum(step * point.denominator >= point.numerator * steps for point in self.milestones)
        return float(self.decay**passed)
