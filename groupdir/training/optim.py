"""Optimizer of a stage, and its learning rate at each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from groupdir.config.optimizers import OptimConfig
from groupdir.config.schedules import ScheduleConfig
from groupdir.config.stage import Stage
from groupdir.methods.base import Method
from groupdir.part import Part
from groupdir.registry import resolve


class Schedule:
    """Schedule of the learning rate over one stage. Subclasses set `Config` and define `factor`.

    Args:
        config: The schedule's section of the trial.
    """

    Config: ClassVar[type[ScheduleConfig]]

    def __init__(self, config: ScheduleConfig) -> None:
        self.config = config

    def factor(self, step: int, steps: int) -> float:
        """Return the factor of the learning rate at a step, without the warm-up.

        Args:
            step: Number of the step, counted from 0 within the stage.
            steps: Number of steps of the stage, at least 1.
        """
        raise TypeError(f"{type(self).__name__} defines no factor")


def build_optimizer(method: Method, stage: Stage) -> torch.optim.Optimizer:
    """Return the optimizer of a stage.

    Its parameter groups are the encoder, the heads, and each parameter with a rate of its own (`Part.own_rates`).
    Frozen parameters are in no group.

    Args:
        method: The method to train.
        stage: The stage: `optim` names the optimizer, `encoder_lr` is the factor of the encoder's rate.
    """
    config = stage.optim
    encoder = list(method.encoder.parameters())
    rates = [item for part in method.modules() if isinstance(part, Part) for item in part.own_rates().items()]
    others = {id(parameter) for parameter in (*encoder, *(parameter for parameter, _ in rates))}
    heads = [parameter for parameter in method.parameters() if id(parameter) not in others and parameter.requires_grad]
    groups: list[dict[str, Any]] = [{"params": heads, "base_lr": config.lr, "lr": config.lr}]
    groups += [{"params": [parameter], "base_lr": rate, "lr": rate, "weight_decay": 0.0} for parameter, rate in rates]
    if stage.encoder_lr > 0:
        rate = config.lr * stage.encoder_lr
        groups.insert(0, {"params": encoder, "base_lr": rate, "lr": rate})
    groups = [group for group in groups if group["params"]]
    # One kernel per step on a GPU. On a CPU torch chooses, because results there must be the same bit for bit.
    fused = True if next(method.parameters()).device.type == "cuda" else None
    optimizer: torch.optim.Optimizer = resolve("optimizer", config.name)(config, groups, fused)
    return optimizer


def load_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Load the state of an optimizer of the same parameters, which may have been on another device.

    Each parameter group stays fused or not fused. That depends on the device, and it decides where torch puts the
    number of steps: a fused kernel reads it on the GPU.

    Args:
        optimizer: Optimizer of a trial, for its device.
        state: State as `Optimizer.state_dict` returns it.
    """
    pairs = zip(state["param_groups"], optimizer.param_groups, strict=True)
    groups = [saved | {"fused": group["fused"]} if "fused" in group else saved for saved, group in pairs]
    optimizer.load_state_dict({**state, "param_groups": groups})


def lr_factor(config: OptimConfig, step: int, steps: int) -> float:
    """Return the factor of the learning rate at a step, warm-up included.

    Args:
        config: The optimizer's section of the trial.
        step: Number of the step, counted from 0 within the stage.
        steps: Number of steps of the stage.

    >>> from groupdir.config.optimizers import AdamConfig
    >>> lr_factor(AdamConfig(name="adam", schedule="cosine"), 50, 100)
    0.5
    """
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    schedule: Schedule = resolve("schedule", config.schedule.name)(config.schedule)
    return warm * schedule.factor(step, max(1, steps))


def set_lr(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the learning rate of every parameter group to its base rate times the factor."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
