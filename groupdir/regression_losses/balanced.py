"""Balanced MSE: the squared error, corrected as if the training labels were uniformly distributed. Three variants."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from groupdir.config.regression_losses import (
    BalancedConfig,
    BatchMonteCarloConfig,
    BucketIntegrationConfig,
    GMMIntegrationConfig,
)
from groupdir.data.base import Targets
from groupdir.losses import batch_monte_carlo_loss, bucket_integration_loss, gmm_integration_loss
from groupdir.regression_losses.base import RegressionLoss, in_network_units


class Balanced(RegressionLoss):
    """Base class of the three variants, which differ in how they model the distribution of the training labels.

    The error of a prediction is modelled as normal noise with standard deviation sigma, in network units. Sigma is
    learned with the rate `sigma_lr` and without weight decay. It is fixed if `sigma_lr` is 0.
    """

    def __init__(self, config: BalancedConfig, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, targets, train_y)
        self.rate = config.sigma_lr
        self.sigma = nn.Parameter(torch.tensor(float(config.sigma)), requires_grad=config.sigma_lr > 0)

    def own_rates(self) -> dict[nn.Parameter, float]:
        """Return the learning rate of sigma, or no rate if sigma is fixed."""
        return {self.sigma: self.rate} if self.rate > 0 else {}


class BatchMonteCarlo(Balanced):
    """Balanced MSE that estimates the label distribution by the labels of each batch (BMC).

    Source: Ren et al. 2022. Published setting on ages: sigma 10 years, after a first stage of plain regression, which
    `method.pretrain` sets.
    """

    Config = BatchMonteCarloConfig

    def __init__(self, config: BatchMonteCarloConfig, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, targets, train_y)
        self.as_published = config.as_published

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `RegressionLoss.forward`. `weight` is unused: the configuration refuses sample weights with this loss."""
        return batch_monte_carlo_loss(prediction, target, self.sigma, as_published=self.as_published)


class GMMIntegration(Balanced):
    """Balanced MSE that models the label distribution by a Gaussian mixture fitted to the training labels (GAI).

    Source: Ren et al. 2022.
    """

    Config = GMMIntegrationConfig
    means: Tensor
    variances: Tensor
    weights: Tensor

    def __init__(self, config: GMMIntegrationConfig, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, targets, train_y)
        from sklearn.mixture import GaussianMixture

        labels = in_network_units(train_y, targets)[:, None]
        mixture = GaussianMixture(min(config.components, len(np.unique(labels))), random_state=0).fit(labels)
        for name, values in (
            ("means", mixture.means_),
            ("variances", mixture.covariances_),
            ("weights", mixture.weights_),
        ):
            self.register_buffer(name, torch.tensor(np.ravel(values), dtype=torch.float32))

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `RegressionLoss.forward`. `weight` is unused: the configuration refuses sample weights with this loss."""
        return gmm_integration_loss(prediction, target, self.sigma, self.means, self.variances, self.weights)


class BucketIntegration(Balanced):
    """Balanced MSE that models the label distribution by the histogram of the training labels (BNI).

    Source: Ren et al. 2022. Each distinct training label is a bucket of the histogram.
    """

    Config = BucketIntegrationConfig
    centers: Tensor
    weights: Tensor

    def __init__(self, config: BucketIntegrationConfig, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, targets, train_y)
        centers, counts = np.unique(in_network_units(train_y, targets), return_counts=True)
        self.register_buffer("centers", torch.tensor(centers, dtype=torch.float32))
        self.register_buffer("weights", torch.tensor(counts / counts.sum(), dtype=torch.float32))

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `RegressionLoss.forward`. `weight` is unused: the configuration refuses sample weights with this loss."""
        return bucket_integration_loss(prediction, target, self.sigma, self.centers, self.weights)
