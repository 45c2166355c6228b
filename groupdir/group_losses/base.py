"""Base class of the group losses, which train a group head and choose the group at inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from groupdir.config.group_losses import GroupLossConfig
from groupdir.part import Part


@dataclass(frozen=True)
class GroupHead:
    """Trained networks of a method with groups, and the sizes of its groups.

    Attributes:
        encoder: The encoder.
        layer: Linear layer on the encoder's features. Its first G outputs are the group logits, the other G the
            experts.
        counts: (G,) number of training samples of each group, at least 1.
    """

    encoder: nn.Module
    layer: nn.Linear
    counts: Tensor

    @property
    def dim(self) -> int:
        """Width of the features, D."""
        return self.layer.in_features

    @property
    def groups(self) -> int:
        """Number of groups, G."""
        return len(self.counts)


class GroupLoss(Part):
    """Loss of a group head. Subclasses set `Config` and define `loss`; those with another head also define `logits`.

    Args:
        config: The group loss's section of the trial.
        head: The networks that are trained with the loss. They are modules of the method: do not register them again.
    """

    Config: ClassVar[type[GroupLossConfig]]

    def __init__(self, config: GroupLossConfig, head: GroupHead) -> None:
        super().__init__()
        self.trained = (head.encoder, head.layer)  # a tuple, so that torch does not register the modules again

    def loss(self, z: Tensor, logits: Tensor, group: Tensor, inputs: tuple[Tensor, ...] = ()) -> Tensor:
        """Return the mean over the batch, a scalar in float32.

        Args:
            z: `(B, D)` features.
            logits: `(B, G)` group logits of the method's linear layer.
            group: `(B,)` int64, the true groups.
            inputs: Inputs of the encoder, tensors of B rows.
        """
        raise TypeError(f"{type(self).__name__} defines no loss")

    def logits(self, z: Tensor, logits: Tensor) -> Tensor:
        """Return the logits `(B, G)` that choose the group at inference, by default those of the linear layer."""
        return logits

    def predictors(self) -> tuple[nn.Module, nn.Module]:
        """Return the encoder and the linear layer that predict, by default the trained ones."""
        return self.trained
