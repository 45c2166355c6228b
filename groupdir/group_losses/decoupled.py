"""Decoupled optimisation of the group head: many-, median- and few-shot groups one after the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groupdir.config.group_losses import DecoupledConfig
from groupdir.config.methods import FIT
from groupdir.group_losses.base import GroupHead, GroupLoss

PHASES = 3


class Decoupled(GroupLoss):
    """Adaptation of decoupled optimisation (DO) to a group head: three phases that reserve their important weights.

    The groups are divided into thirds by their training counts, and the stage's epochs into three phases. The first
    phase is for the most frequent third of the groups, the last for the rarest. In each phase the cross-entropy counts
    the samples of the phase's groups fully and the others little.

    At the end of a phase the weights with the largest first-order importance, |w dL/dw| summed over its steps, are
    reserved: they keep their values, and later phases train the remaining weights. At inference the logits are the mean
    over the heads at the end of each finished phase and the present head.

    Source: the idea of Cong et al. 2024, of which only an abstract was available.

    Differences from the source: every detail that the abstract does not state is our choice. Only the group head is
    masked, not the encoder. The thirds are thirds of the groups. All phases have the same objective. The mean over the
    heads has equal weights, not weights for each sample.
    """

    Config = DecoupledConfig
    importance: Tensor
    reserved: Tensor
    kept: Tensor
    snapshots: Tensor
    biases: Tensor
    phase: Tensor
    third: Tensor

    def __init__(self, config: DecoupledConfig, head: GroupHead) -> None:
        super().__init__(config, head)
        self.config = config
        self.head = nn.Linear(head.dim, head.groups)
        shape = self.head.weight.shape
        self.register_buffer("importance", torch.zeros(shape))
        self.register_buffer("reserved", torch.zeros(shape, dtype=torch.bool))
        self.register_buffer("kept", torch.zeros(shape))
        self.register_buffer("snapshots", torch.zeros(PHASES - 1, *shape))
        self.register_buffer("biases", torch.zeros(PHASES - 1, head.groups))
        self.register_buffer("phase", torch.zeros((), dtype=torch.int64))
        order = torch.argsort(head.counts, descending=True, stable=True)
        third = torch.empty_like(order)
        third[order] = torch.arange(head.groups) * PHASES // head.groups
        self.register_buffer("third", third, persistent=False)

    def begin_epoch(self, stage: str, epoch: int, epochs: int) -> None:
        """End a phase after its third of the epochs."""
        if stage != FIT:
            return
        while int(self.phase) < epoch * PHASES // epochs:
            self._end_phase()

    def loss(self, z: Tensor, logits: Tensor, group: Tensor, inputs: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the cross-entropy, weighted so that the groups of the phase count most."""
        with torch.autocast(z.device.type, enabled=False):
            weight = torch.where(self.reserved, self.kept, self.head.weight)
            if weight.requires_grad:
                value = weight.detach()
                weight.register_hook(lambda gradient: self._note((value * gradient).abs()))  # type: ignore[no-untyped-call]
            error = F.cross_entropy(F.linear(z.float(), weight, self.head.bias), group, reduction="none")
        weight_of_sample = torch.where(self.third[group] == self.phase, 1.0, self.config.others)
        return (weight_of_sample * error).sum() / weight_of_sample.sum().clamp(min=1e-6)

    def logits(self, z: Tensor, logits: Tensor) -> Tensor:
        """Return the mean over the heads of the finished phases and the present one."""
        z, done = z.float(), int(self.phase)
        total = F.linear(z, torch.where(self.reserved, self.kept, self.head.weight), self.head.bias)
        for index in range(done):
            total = total + F.linear(z, self.snapshots[index], self.biases[index])
        return total / (done + 1)

    def _note(self, importance: Tensor) -> None:
        """Add the importance of the weights in one step."""
        self.importance += importance

    @torch.no_grad()
    def _end_phase(self) -> None:
        """Store the head of the phase, reserve its most important weights, and start the next phase."""
        weight = torch.where(self.reserved, self.kept, self.head.weight)
        done = int(self.phase)
        self.snapshots[done], self.biases[done] = weight, self.head.bias
        free = self.importance.masked_fill(self.reserved, -1).flatten()
        number = int(self.config.reserve * int((~self.reserved).sum()))
        chosen = torch.zeros_like(self.reserved).flatten()
        chosen[free.topk(number).indices] = True
        self.kept.copy_(weight)
        self.reserved |= chosen.view_as(self.reserved)
        self.importance.zero_()
        self.phase += 1
