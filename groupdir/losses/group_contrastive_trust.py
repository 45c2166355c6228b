"""Trust in the fused kernels: the first batch of each kind is computed in both ways, in every process.

Kernels are compiled on the machine where they run, for a card, a driver and a version of Triton that nobody may have
tried. So a first result must agree with PyTorch's own operations. If results keep disagreeing, the fused path warns and
is not used any more.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable

from torch import Tensor

Result = tuple[Tensor, Tensor]
"""Loss and gradient."""

VALUE, GRADIENT = 1e-4, 1e-3
"""Largest difference of two losses, relative and absolute, and of two gradients, relative to the norm."""

MOST_FAILURES = 3
"""Disagreements in a row that end the trust. One may be a batch whose gradient is nothing but rounding."""


class Trust:
    """Which kinds of batches have agreed, and whether the fused path may be used at all."""

    def __init__(self) -> None:
        self._agreed: set[Hashable] = set()
        self._failures = 0

    @property
    def lost(self) -> bool:
        """Whether the fused path must not be used any more."""
        return self._failures >= MOST_FAILURES

    def checked(self, kind: Hashable, result: Result, other: Callable[[], Result], want_gradient: bool) -> Result:
        """Return a fused result, or the other one as long as a kind of batch has not agreed.

        Args:
            kind: What decides how the kernels are compiled and launched.
            result: Loss and gradient of the fused path.
            other: Function that computes both by PyTorch's own operations.
            want_gradient: Whether the gradients have a meaning.
        """
        if kind in self._agreed:
            return result
        expected = other()
        if agree(result, expected, want_gradient):
            self._agreed.add(kind)
            self._failures = 0
            return result
        self._failures += 1
        if self.lost:
            warnings.warn(
                f"The kernels of the group-aware contrastive loss gave {result[0].item():.6g} instead of "
                f"{expected[0].item():.6g} on this GPU, or another gradient, {MOST_FAILURES} times in a row. The loss "
                "runs on its slower path from now on, which is right. Please report the GPU and the versions of torch "
                "and triton",
                RuntimeWarning,
                stacklevel=2,
            )
        return expected


def agree(result: Result, expected: Result, want_gradient: bool = True) -> bool:
    """Return whether two results are the same up to rounding: the losses, and the gradients if they are wanted."""
    (value, gradient), (loss, slope) = result, expected
    if not abs(value.item() - loss.item()) <= VALUE * (1 + abs(loss.item())):
        return False
    if not want_gradient:
        return True
    difference = (gradient.double() - slope.double()).norm()
    return bool(difference <= GRADIENT * slope.double().norm())
