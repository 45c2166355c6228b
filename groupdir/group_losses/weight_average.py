"""A model averaged over its training steps, which the trained one is kept near to, and which predicts."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groupdir.config.group_losses import ReBATConfig
from groupdir.part import Part


class WeightAverage(Part):
    """An adaptation of ReBAT to group classification: what of it survives without attacks on the inputs.

    Once `start` of the stage's epochs are over, the encoder and the linear layer are averaged exponentially over the
    steps, running statistics of batch norms too; the loss adds beta times the divergence of the trained group
    probabilities from the averaged ones, and the averaged model predicts. Before that it equals the trained one.

    Source: Wang et al. 2023 (ReBAT), an adversarial-training method.

    Differences from the source: no adversarial inputs and no learning-rate schedule of its own; the averaged model
    gives the experts' values too.

    Args:
        encoder: The trained encoder.
        head: The trained linear layer.
        groups: How many of the layer's outputs, from the first, are group logits.
        config: Options.
    """

    started: Tensor

    def __init__(self, encoder: nn.Module, head: nn.Linear, groups: int, config: ReBATConfig) -> None:
        super().__init__()
        self.config, self.groups = config, groups
        self.online = (encoder, head)  # a tuple hides them: they are modules of the method already
        self.encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.head = copy.deepcopy(head).requires_grad_(False)
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))
        self.eval()

    def train(self, mode: bool = True) -> WeightAverage:
        """The averaged model is always in evaluation mode."""
        return super().train(False)

    def begin_epoch(self, stage: str, epoch: int, epochs: int) -> None:
        """Starts to average when it is time."""
        if stage == "fit" and epoch >= self.config.start * epochs:
            self.started.fill_(True)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Outputs `(B, 2 G)` of the averaged model."""
        found: Tensor = self.head(self.encoder(*inputs))
        return found

    def divergence(self, logits: Tensor, *inputs: Tensor) -> Tensor:
        """KL(averaged || trained) of the group probabilities times beta, a mean over the batch; 0 before the start."""
        if not bool(self.started):
            return logits.new_zeros((), dtype=torch.float32)
        with torch.no_grad():
            aim = self(*inputs)[:, : self.groups].float().log_softmax(1)
        found = F.kl_div(logits.float().log_softmax(1), aim, reduction="batchmean", log_target=True)
        return self.config.beta * found

    @torch.no_grad()
    def end_step(self) -> None:
        """Averages the step in."""
        keep = self.config.decay if bool(self.started) else 0.0
        for average, online in zip((self.encoder, self.head), self.online, strict=True):
            new = online.state_dict()
            for name, value in average.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(new[name], 1 - keep)
                else:
                    value.copy_(new[name])
