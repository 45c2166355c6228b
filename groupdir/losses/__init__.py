"""Losses as pure functions of tensors, one idea per file."""

from groupdir.losses.classification import logit_adjusted_loss, soft_label_loss
from groupdir.losses.group_contrastive import group_contrastive_loss

__all__ = ["group_contrastive_loss", "logit_adjusted_loss", "soft_label_loss"]
