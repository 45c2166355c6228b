"""ReBAT: a model averaged over the training steps predicts, and the loss keeps the trained model close to it."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groupdir.config.group_losses import ReBATConfig
from groupdir.config.methods import FIT
from groupdir.group_losses.base import GroupHead, GroupLoss


class ReBAT(GroupLoss):
    """Adaptation of ReBAT to group classification, without attacks on the inputs.

    After the fraction `start` of the stage's epochs, an averaged model follows the encoder and the linear layer: an
    exponential average over the steps, including the running statistics of batch norms. Before that the averaged model
    equals the trained one. The averaged model predicts. The loss is the cross-entropy plus beta times the divergence of
    the trained group probabilities from the averaged ones.

    Source: Wang et al. 2023 (ReBAT), an adversarial-training method.

    Differences from the source: no adversarial inputs, and no special learning-rate schedule. The averaged model
    computes the values of the experts too.
    """

    Config = ReBATConfig
    started: Tensor

    def __init__(self, config: ReBATConfig, head: GroupHead) -> None:
        super().__init__(config, head)
        self.config, self.groups = config, head.groups
        self.encoder = copy.deepcopy(head.encoder).requires_grad_(False)
        self.layer = copy.deepcopy(head.layer).requires_grad_(False)
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))
        self.averages = False
        self.eval()

    def train(self, mode: bool = True) -> ReBAT:
        """Keep the averaged model in evaluation mode, whatever `mode` is."""
        return super().train(False)

    def begin_epoch(self, stage: str, epoch: int, epochs: int) -> None:
        """Start the average after the fraction `start` of the epochs."""
        if stage == FIT and epoch >= self.config.start * epochs:
            self.started.fill_(True)
        self.averages = bool(self.started)  # read once per epoch, because reading it waits for a GPU

    def loss(self, z: Tensor, logits: Tensor, group: Tensor, inputs: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the cross-entropy plus beta times the divergence from the averaged model."""
        return F.cross_entropy(logits.float(), group) + self.divergence(logits, *inputs)

    def divergence(self, logits: Tensor, *inputs: Tensor) -> Tensor:
        """Return beta KL(averaged || trained) of the group probabilities, a mean over the batch; 0 before the start."""
        if not self.averages:
            return logits.new_zeros((), dtype=torch.float32)
        with torch.no_grad():
            outputs: Tensor = self.layer(self.encoder(*inputs))
            target = outputs[:, : self.groups].float().log_softmax(1)
        divergence = F.kl_div(logits.float().log_softmax(1), target, reduction="batchmean", log_target=True)
        return self.config.beta * divergence

    def predictors(self) -> tuple[nn.Module, nn.Module]:
        """Return the averaged encoder and layer."""
        return self.encoder, self.layer

    @torch.no_grad()
    def end_step(self) -> None:
        """Update the averaged model with the weights of this step."""
        keep = self.config.decay if self.averages else 0.0
        for average, trained in zip(self.predictors(), self.trained, strict=True):
            new = trained.state_dict()
            for name, value in average.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(new[name], 1 - keep)
                else:
                    value.copy_(new[name])
