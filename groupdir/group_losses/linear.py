"""Criteria on the logits of the linear group head: descending labels, cross-entropy, logit adjustment."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from groupdir.group_losses.base import GroupLoss
from groupdir.losses import logit_adjusted_loss, soft_label_loss


class Soft(GroupLoss):
    """Cross-entropy with symmetric descending soft labels, the paper's own (Pu et al. 2025, Eq. 4)."""

    def loss(self, z: Tensor, logits: Tensor, group: Tensor) -> Tensor:
        """See `GroupLoss.loss`."""
        return soft_label_loss(logits, group, self.spec.beta, reduction=self.spec.reduction)


class CE(GroupLoss):
    """Cross-entropy with one-hot labels."""

    def loss(self, z: Tensor, logits: Tensor, group: Tensor) -> Tensor:
        """See `GroupLoss.loss`."""
        return F.cross_entropy(logits.float(), group, reduction=self.spec.reduction)


class LogitAdjusted(GroupLoss):
    """Cross-entropy in which rare groups must win by a margin (Menon et al. 2021)."""

    def loss(self, z: Tensor, logits: Tensor, group: Tensor) -> Tensor:
        """See `GroupLoss.loss`."""
        return logit_adjusted_loss(logits, group, self.spec.counts, self.spec.tau, reduction=self.spec.reduction)
