"""Losses as pure functions of tensors, one idea per file."""

from groupdir.losses.balanced_mse import batch_monte_carlo_loss, bucket_integration_loss, gmm_integration_loss
from groupdir.losses.classification import logit_adjusted_loss, soft_label_loss
from groupdir.losses.conr import conr_loss
from groupdir.losses.etf import etf_dot_regression_loss, etf_lengths, simplex_etf
from groupdir.losses.evidential import conjugate_parameters, evidential_loss, evidential_parameters
from groupdir.losses.focal import focal_loss
from groupdir.losses.gaussian_kl import gaussian_kl_loss
from groupdir.losses.group_contrastive import group_contrastive_loss
from groupdir.losses.ranksim import ranksim_loss

__all__ = [
    "batch_monte_carlo_loss",
    "bucket_integration_loss",
    "conjugate_parameters",
    "conr_loss",
    "etf_dot_regression_loss",
    "etf_lengths",
    "evidential_loss",
    "evidential_parameters",
    "focal_loss",
    "gaussian_kl_loss",
    "gmm_integration_loss",
    "group_contrastive_loss",
    "logit_adjusted_loss",
    "ranksim_loss",
    "simplex_etf",
    "soft_label_loss",
]
