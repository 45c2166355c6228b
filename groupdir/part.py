"""Hooks by which the trainer informs the parts of a method about epochs, steps and training features."""

from __future__ import annotations

from torch import Tensor, nn


class Part(nn.Module):
    """Part of a method that follows the training. The trainer calls every `Part` among the method's modules.

    Keep state that must survive an epoch in buffers or parameters: a resume restores those and then calls
    `begin_epoch` first.
    """

    @property
    def observes(self) -> bool:
        """Return whether `observe` needs the features of all training samples after every epoch, which costs a pass."""
        return False

    def begin_epoch(self, stage: str, epoch: int, epochs: int) -> None:
        """Prepare for an epoch. Random numbers from torch's generator are reproducible here.

        Args:
            stage: Name of the stage.
            epoch: Number of the epoch, counted from 0 within the stage.
            epochs: Number of epochs of the stage.
        """

    def end_step(self) -> None:
        """React to a step of the optimizer."""

    def observe(self, features: Tensor, bins: Tensor) -> None:
        """Receive the features of some training samples, computed in training mode after an epoch.

        Args:
            features: `(N, D)` as `Method.observed` gives them, without gradients.
            bins: `(N,)` int64, the label bin of each sample. Bins end at `Targets.bins_high`.
        """

    def end_epoch(self, epoch: int) -> None:
        """React to the end of an epoch, after `observe` has received all training samples.

        Args:
            epoch: As in `begin_epoch`.
        """

    def own_rates(self) -> dict[nn.Parameter, float]:
        """Return parameters of this part (not of its modules) with a learning rate of their own and no weight decay."""
        return {}
