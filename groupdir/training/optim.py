"""Optimizers, and the learning rate as a pure function of the step, so that a resume needs no schedule's state."""

from __future__ import annotations

import math
from typing import Any

import torch

from groupdir.config.optimizers import OptimConfig
from groupdir.config.stage import Stage
from groupdir.methods.base import Method
from groupdir.part import Part


def build_optimizer(method: Method, stage: Stage) -> torch.optim.Optimizer:
    """The optimizer of a stage: the encoder's parameters in a group of their own, and so those with an own rate.

    Frozen parameters are in no group.

    Args:
        method: Whose parameters.
        stage: Its `optim`, and `encoder_lr`, the factor of the encoder's rate.
    """
    config = stage.optim
    encoder = list(method.encoder.parameters())
    own = [rate for part in method.modules() if isinstance(part, Part) for rate in part.own_rates().items()]
    apart = {id(parameter) for parameter in (*encoder, *(parameter for parameter, _ in own))}
    heads = [parameter for parameter in method.parameters() if id(parameter) not in apart and parameter.requires_grad]
    groups: list[dict[str, Any]] = [{"params": heads, "base_lr": config.lr, "lr": config.lr}]
    groups += [{"params": [parameter], "base_lr": rate, "lr": rate, "weight_decay": 0.0} for parameter, rate in own]
    if stage.encoder_lr > 0:
        rate = config.lr * stage.encoder_lr
        groups.insert(0, {"params": encoder, "base_lr": rate, "lr": rate})
    groups = [group for group in groups if group["params"]]
    # One kernel a step on a GPU. On a CPU torch's own choice stays: results are promised bit for bit there.
    fused = True if next(method.parameters()).device.type == "cuda" else None
    if config.name == "sgd":
        return torch.optim.SGD(groups, momentum=config.momentum, weight_decay=config.weight_decay, fused=fused)
    make = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return make(groups, betas=(config.momentum, 0.999), weight_decay=config.weight_decay, fused=fused)


def lr_factor(config: OptimConfig, step: int, steps: int) -> float:
    """The factor of the learning rate at a step.

    Args:
        config: The schedule.
        step: Counted from 0.
        steps: Of the whole stage.

    >>> lr_factor(OptimConfig(schedule="cosine"), 50, 100)
    0.5
    """
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    progress = step / max(1, steps)
    if config.schedule == "cosine":
        low = config.min_lr_ratio
        return warm * (low + (1 - low) * (1 + math.cos(math.pi * progress)) / 2)
    if config.schedule == "step":
        return float(warm * config.decay ** sum(progress >= milestone for milestone in config.milestones))
    return warm


def set_lr(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Sets every group's rate to its base times the factor."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
