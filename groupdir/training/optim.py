"""Optimizer of a stage, and its learning rate at each step."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
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

    Raises:
        ValueError: If the state belongs to other parameters or to another optimizer.
    """
    _check_state(optimizer, state)
    pairs = zip(state["param_groups"], optimizer.param_groups, strict=True)
    groups = [saved | {"fused": group["fused"]} if "fused" in group else saved for saved, group in pairs]
    optimizer.load_state_dict({**state, "param_groups": groups})


def _check_state(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Refuse a state that belongs to other parameters or to another optimizer; see `load_optimizer`."""
    groups, expected = state["param_groups"], optimizer.state_dict()["param_groups"]
    if len(groups) != len(expected):
        raise ValueError(f"the optimizer must have {len(expected)} groups of parameters, got {len(groups)}")
    for saved, group in zip(groups, expected, strict=True):
        if saved.keys() != group.keys() or saved["params"] != group["params"]:
            raise ValueError("the optimizer must have the options and parameters of its configuration, got others")
        if wrong := [name for name, value in group.items() if not _is_like(saved[name], value)]:
            raise ValueError(f"the optimizer must have options of the configured types, got another {wrong[0]}")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    fresh = _state_of_a_parameter(optimizer) if state["state"] else {}
    for index, entries in state["state"].items():
        if entries.keys() != fresh.keys():
            raise ValueError(f"the optimizer must have {', '.join(sorted(fresh))} of each parameter, got others")
        shapes = (parameters[index].shape, torch.Size())
        for name, value in entries.items():
            number = isinstance(value, int | float) and math.isfinite(value)
            tensor = isinstance(value, torch.Tensor) and value.shape in shapes and value.is_floating_point()
            dense = tensor and value.layout == torch.strided and not value.requires_grad
            if not (value is None if fresh[name] is None else number or dense):
                raise ValueError(f"the optimizer's {name} must be a number, or have the shape of its parameter")


def _state_of_a_parameter(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return an optimizer's state of a parameter, such as `exp_avg`, by a step of a copy on one number."""
    first = optimizer.param_groups[0]
    number = torch.nn.Parameter(torch.zeros(1, device=first["params"][0].device))
    number.grad = torch.zeros_like(number)
    copied = copy.copy(optimizer)
    copied.state = defaultdict(dict)
    copied.param_groups = [{**first, "params": [number]}]
    copied.step()
    return dict(copied.state[number])


def _is_like(value: Any, own: Any) -> bool:
    """Return whether an option of an optimizer has the type of another value, and is finite."""
    if isinstance(own, bool) or own is None:
        return value is None or isinstance(value, bool)
    if isinstance(own, int | float):
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if isinstance(own, list | tuple):
        return isinstance(value, list | tuple) and len(value) == len(own) and all(map(_is_like, value, own))
    return isinstance(value, type(own))


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
