"""What the trainer tells the pieces of a method: an epoch begins, a step is done, these are all training features."""

from __future__ import annotations

from torch import Tensor, nn


class Part(nn.Module):
    """A piece of a method that follows the training. The trainer finds every part among the method's modules.

    What a part remembers from one epoch to the next belongs in buffers or parameters: a resume brings back those, and
    calls `begin_epoch` before anything else.
    """

    @property
    def observes(self) -> bool:
        """Whether `observe` wants the features of all training samples after every epoch, which costs a pass."""
        return False

    def begin_epoch(self, stage: str, epoch: int, epochs: int) -> None:
        """An epoch begins; draws from torch's generator here are reproducible.

        Args:
            stage: The stage's name.
            epoch: Counted from 0 within the stage.
            epochs: How many the stage has.
        """

    def end_step(self) -> None:
        """The optimizer has made a step."""

    def observe(self, features: Tensor, bins: Tensor) -> None:
        """Sees what the encoder makes of some training samples, in training mode, after an epoch.

        Args:
            features: `(N, D)` as `Method.observed` gives them, without gradients.
            bins: `(N,)` int64, the label bin of each sample.
        """

    def end_epoch(self, epoch: int) -> None:
        """All training samples have been shown to `observe`.

        Args:
            epoch: As in `begin_epoch`.
        """

    def own_rates(self) -> dict[nn.Parameter, float]:
        """Parameters of this part (not of its modules) with a learning rate of their own; they do not decay."""
        return {}
