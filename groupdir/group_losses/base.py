"""What a group criterion is, and its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from groupdir.config.group_losses import DOConfig, NCConfig
from groupdir.part import Part


@dataclass(frozen=True)
class GroupHeadSpec:
    """What a criterion is made from.

    Attributes:
        dim: Width of the features.
        counts: (G,) training samples of each group.
        beta: Slope of the descending labels, of soft.
        tau: Strength of the adjustment, of logit_adjusted.
        reduction: "mean" or "sum" over the batch.
        nc: Options of nc.
        do: Options of do.
    """

    dim: int
    counts: Tensor
    beta: float
    tau: float
    reduction: Literal["mean", "sum"]
    nc: NCConfig
    do: DOConfig

    @property
    def groups(self) -> int:
        """G."""
        return len(self.counts)


class GroupLoss(Part):
    """A group criterion. Subclasses define `loss`; those with a head of their own also `logits`."""

    def __init__(self, spec: GroupHeadSpec) -> None:
        super().__init__()
        self.spec = spec

    def loss(self, z: Tensor, logits: Tensor, group: Tensor) -> Tensor:
        """A scalar in float32.

        Args:
            z: `(B, D)` features.
            logits: `(B, G)` of the method's linear head.
            group: `(B,)` true groups.
        """
        raise TypeError(f"{type(self).__name__} defines no loss")

    def logits(self, z: Tensor, logits: Tensor) -> Tensor:
        """`(B, G)` the logits that choose the group at inference; by default the linear head's."""
        return logits
