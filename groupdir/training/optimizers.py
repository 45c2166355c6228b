"""Optimizers of torch, built from a section of the trial."""

from __future__ import annotations

from typing import Any

import torch

from groupdir.config.optimizers import AdamConfig, AdamWConfig, SGDConfig

# To add an optimizer, write a subclass of `torch.optim.Optimizer` with `Config` and a constructor with these arguments:
#   config: the optimizer's section of the trial;
#   groups: parameter groups, some of which set a learning rate or a weight decay;
#   fused: True on a GPU, where one kernel per step is faster; None on a CPU, where torch must choose.


class Adam(torch.optim.Adam):
    """Adam whose weight decay is added to the gradient."""

    Config = AdamConfig

    def __init__(self, config: AdamConfig, groups: list[dict[str, Any]], fused: bool | None) -> None:
        super().__init__(groups, config.lr, config.betas, weight_decay=config.weight_decay, fused=fused)


class AdamW(torch.optim.AdamW):
    """Adam with decoupled weight decay."""

    Config = AdamWConfig

    def __init__(self, config: AdamWConfig, groups: list[dict[str, Any]], fused: bool | None) -> None:
        super().__init__(groups, config.lr, config.betas, weight_decay=config.weight_decay, fused=fused)


class SGD(torch.optim.SGD):
    """Stochastic gradient descent with momentum."""

    Config = SGDConfig

    def __init__(self, config: SGDConfig, groups: list[dict[str, Any]], fused: bool | None) -> None:
        super().__init__(groups, config.lr, config.momentum, weight_decay=config.weight_decay, fused=fused)
