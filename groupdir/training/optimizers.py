"""Optimizers by name: torch's, made from a section of the trial."""

from __future__ import annotations

from typing import Any

import torch

from groupdir.config.optimizers import AdamConfig, AdamWConfig, SGDConfig

# An optimizer of one's own is a `torch.optim.Optimizer` with `Config` and this constructor:
#   config: the section of the trial;
#   groups: parameter groups, some with a rate or a weight decay of their own;
#   fused: True where one kernel a step is faster and changes nothing that is promised (a GPU); else None.


class Adam(torch.optim.Adam):
    """Adam; the weight decay is added to the gradient."""

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
