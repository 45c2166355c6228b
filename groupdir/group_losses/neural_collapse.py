"""Neural collapse: a fixed simplex as group head, and a loss that pulls the features to it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groupdir.config.group_losses import NeuralCollapseConfig
from groupdir.errors import ConfigError
from groupdir.group_losses.base import GroupHead, GroupLoss
from groupdir.losses import etf_dot_regression_loss, simplex_etf


class NeuralCollapse(GroupLoss):
    """Fixed simplex classifier over the groups with the dot-regression loss (NC).

    Source: Yang et al. 2022: batch norm, unit length, a simplex equiangular tight frame.

    Differences from the source: the experts read the features before the batch norm. A batch of one sample is
    normalised by the running statistics. With a length penalty features keep their length, as in the ImageNet settings
    of the source.
    """

    Config = NeuralCollapseConfig
    etf: Tensor

    def __init__(self, config: NeuralCollapseConfig, head: GroupHead) -> None:
        super().__init__(config, head)
        if not 2 <= head.groups <= head.dim:
            raise ConfigError(
                f"method.groups: group loss nc needs 2 to {head.dim} groups (the width of the features), "
                f"got {head.groups}: set fewer groups, or use a wider encoder"
            )
        self.length_penalty = config.length_penalty
        self.norm = nn.BatchNorm1d(head.dim)
        self.register_buffer("etf", simplex_etf(head.dim, head.groups).float())

    def loss(self, z: Tensor, logits: Tensor, group: Tensor, inputs: tuple[Tensor, ...] = ()) -> Tensor:
        """See `GroupLoss.loss`."""
        return etf_dot_regression_loss(self._features(z), group, self.etf, self.length_penalty)

    def logits(self, z: Tensor, logits: Tensor) -> Tensor:
        """Return the products of the features with the simplex."""
        return self._features(z) @ self.etf

    def _features(self, z: Tensor) -> Tensor:
        """Return normalised features `(B, D)`, in float32."""
        with torch.autocast(z.device.type, enabled=False):
            norm = self.norm
            alone = norm.training and len(z) == 1
            x = F.batch_norm(
                z.float(),
                norm.running_mean,
                norm.running_var,
                norm.weight,
                norm.bias,
                training=norm.training and not alone,
                momentum=norm.momentum or 0.0,
                eps=norm.eps,
            )
        return x if self.length_penalty else F.normalize(x, dim=1)
