"""Losses on the logits of the linear group head: soft labels, cross-entropy, logit adjustment."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from groupdir.config.group_losses import CEConfig, LogitAdjustedConfig, SoftConfig
from groupdir.group_losses.base import GroupHead, GroupLoss
from groupdir.losses import logit_adjusted_loss, soft_label_loss


class Soft(GroupLoss):
    """Cross-entropy with symmetric descending soft labels, the loss of the paper (Pu et al. 2025, Eq. 4)."""

    Config = SoftConfig

    def __init__(self, config: SoftConfig, head: GroupHead) -> None:
        super().__init__(config, head)
        self.beta = config.beta

    def loss(self, z: Tensor, logits: Tensor, group: Tensor, inputs: tuple[Tensor, ...] = ()) -> Tensor:
        """See `GroupLoss.loss`."""
        return soft_label_loss(logits, group, self.beta)


class CE(GroupLoss):
    """Cross-entropy with one-hot labels."""

    Config = CEConfig

    def loss(self, z: Tensor, logits: Tensor, group: Tensor, inputs: tuple[Tensor, ...] = ()) -> Tensor:
        """See `GroupLoss.loss`."""
        return F.cross_entropy(logits.float(), group)


class LogitAdjusted(GroupLoss):
    """Cross-entropy in which rare groups must win by a margin (Menon et al. 2021)."""

    Config = LogitAdjustedConfig

    def __init__(self, config: LogitAdjustedConfig, head: GroupHead) -> None:
        super().__init__(config, head)
        self.tau, self.counts = config.tau, head.counts

    def loss(self, z: Tensor, logits: Tensor, group: Tensor, inputs: tuple[Tensor, ...] = ()) -> Tensor:
        """See `GroupLoss.loss`."""
        return logit_adjusted_loss(logits, group, self.counts, self.tau)
