"""Which trials are on a node that Ray is told to give up, such as a spot machine that is taken back."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from launch.on_ray import private

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

EVERY = 2.0
"""Seconds between two questions to Ray: two minutes is all that a spot machine has."""


class Draining:
    """Asks Ray now and then.

    Args:
        nodes: Gives the nodes that are given up.
        node_of: Gives the node of a trial; asked only while there are any.
        now: A clock, in seconds.
    """

    def __init__(
        self,
        nodes: Callable[[], Collection[str]] = private.draining_nodes,
        node_of: Callable[[Trial], str] = private.node_of,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = nodes
        self._node_of = node_of
        self._now = now
        self._nodes: frozenset[str] = frozenset()
        self._more = False
        self._next = 0.0

    def holds(self, trial: Trial) -> bool:
        """Whether a trial is on such a node."""
        self._look()
        return bool(self._nodes) and self._node_of(trial) in self._nodes

    def more(self) -> bool:
        """Whether there are others since this was last asked."""
        self._look()
        more, self._more = self._more, False
        return more

    def _look(self) -> None:
        if self._now() >= self._next:
            found = frozenset(self._ask())
            self._more = self._more or bool(found - self._nodes)
            self._nodes = found
            self._next = self._now() + EVERY
