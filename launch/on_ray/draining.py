"""Draining nodes: nodes that will leave the cluster soon, such as a spot machine before its interruption."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from launch.on_ray import private

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

EVERY = 2.0
"""Seconds between two queries to Ray. A spot machine has two minutes from its notice to its end."""


class Draining:
    """Draining nodes, queried from Ray every few seconds.

    Args:
        nodes: Function that returns the draining nodes.
        node_of: Function that returns the node of a trial. It is called only while a node is draining.
        now: Clock, in seconds.
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
        """Return whether a trial is on a draining node."""
        self._look()
        return bool(self._nodes) and self._node_of(trial) in self._nodes

    def more(self) -> bool:
        """Return whether a node has begun to drain since the last call."""
        self._look()
        more, self._more = self._more, False
        return more

    def _look(self) -> None:
        if self._now() >= self._next:
            nodes = frozenset(self._ask())
            self._more = self._more or bool(nodes - self._nodes)
            self._nodes = nodes
            self._next = self._now() + EVERY
