"""Nodes of a search: which node each trial runs on, and which nodes get no trial because they lost the storage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groupdir.files.storage import Place
from launch.on_ray import private

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

EVERY = 5.0
"""Seconds between two checks of a refused node. They double with each time that the node is refused."""
LONGEST = 600.0
"""Longest time between two checks, in seconds."""

Answer = Callable[[], str | None]
"""Function that returns None until a node has answered, then why it cannot use the storage, or an empty text."""


@dataclass(frozen=True)
class Node:
    """Node of the cluster.

    Attributes:
        node: Ray's id of the node.
        name: Name for a person: host and address.
    """

    node: str
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass
class _Refusal:
    """Refused node: its name, seconds between two checks, time of the next, and the answer that is awaited, if any."""

    name: str
    every: float
    next: float
    answer: Answer | None = None


class Nodes:
    """Nodes that trials run on, and nodes that are refused for trials until they can use the storage again.

    Args:
        check: Function that asks a node whether it can use the storage, and returns at once with an `Answer`.
        say: Function that prints a line.
        names: Function that returns id -> name of each running node on which trials can run.
        node_of: Function that returns the id of the node that a trial of Ray runs on, or "".
        now: Clock, in seconds.
    """

    def __init__(
        self,
        check: Callable[[str], Answer],
        say: Callable[[str], None],
        names: Callable[[], Mapping[str, str]] | None = None,
        node_of: Callable[[Trial], str] = private.node_of,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._check, self._say, self._names = check, say, names or running_nodes
        self._node_of, self._now = node_of, now
        self._known: dict[str, str] = {}
        self._of_trial: dict[int, Node] = {}
        self._refused: dict[str, _Refusal] = {}
        self._times: dict[str, int] = {}  # how many times each node was refused
        self._changed = False

    # --- where trials run ---

    def begin(self, number: int, trial: Trial) -> tuple[Node | None, Node]:
        """Note the node on which a trial begins.

        Returns:
            The node that the trial ran on before, or None if it begins for the first time; and its node now.
        """
        before, node = self._of_trial.get(number), self._node_of(trial)
        self._of_trial[number] = now = Node(node, self._name(node))
        return before, now

    def of(self, number: int) -> Node:
        """Return the node on which a trial began last."""
        return self._of_trial.get(number, Node("", "an unknown node"))

    def end(self, number: int) -> None:
        """Forget the node of a trial that has ended or paused."""
        self._of_trial.pop(number, None)

    def _name(self, node: str) -> str:
        if node not in self._known:
            self._known |= self._names()
        return self._known.get(node, node[:8] or "an unknown node")

    # --- which nodes get no trial ---

    @property
    def refused(self) -> tuple[str, ...]:
        """Ids of the refused nodes, sorted."""
        return tuple(sorted(self._refused))

    def refuse(self, node: Node, why: str) -> None:
        """Give a node no trial until it can use the storage again.

        Args:
            node: The node.
            why: What is wrong there, with the name of the node.
        """
        if node.node and node.node not in self._refused:
            self._times[node.node] = times = self._times.get(node.node, 0) + 1
            every = min(LONGEST, EVERY * 2 ** (times - 1))
            self._refused[node.node] = _Refusal(node.name, every, self._now() + every)
            self._changed = True
            self._say(f"{why}. {node.name} gets no trial until it can use the storage again")
            if not set(self._names()) - set(self._refused):
                self._say("no node can use the storage: all trials wait until one can")

    def changed(self) -> bool:
        """Check refused nodes that are due, and return whether the refused nodes have changed since the last call."""
        for node, refusal in list(self._refused.items()):
            if refusal.answer is None and self._now() >= refusal.next:
                if node not in self._names():
                    self._readmit(node, f"{refusal.name} has left the cluster")
                    continue
                refusal.answer = self._check(node)
            if refusal.answer is not None and (why := refusal.answer()) is not None:
                refusal.answer, refusal.next = None, self._now() + refusal.every
                if not why:
                    self._readmit(node, f"{refusal.name} can use the storage again and gets trials")
        changed, self._changed = self._changed, False
        return changed

    def _readmit(self, node: str, text: str) -> None:
        del self._refused[node]
        self._changed = True
        self._say(text)


def running_nodes() -> dict[str, str]:
    """Return id -> name of each running node on which trials can run. A cloud's head offers no CPUs to trials."""
    import ray

    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    alive = [node for node in nodes if node["Alive"] and node["Resources"].get("CPU")]
    return {node["NodeID"]: f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})" for node in alive}


def storage_check(marker: Place) -> Callable[[str], Answer]:
    """Return a function that asks a node by a Ray task whether it sees the marker and can write beside it.

    A task on a node whose network file system hangs answers when the file system does.
    """
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def ask(node: str) -> Answer:
        on_node = NodeAffinitySchedulingStrategy(node, soft=False)
        task = ray.remote(Place.why_not_writable).options(num_cpus=0, max_retries=0, scheduling_strategy=on_node)
        reference = task.remote(marker, f"{marker.name}-{node[:8]}")

        def answer() -> str | None:
            if not ray.wait([reference], timeout=0)[0]:
                return None
            try:
                return str(ray.get(reference))
            except RayError as error:
                return type(error).__name__

        return answer

    return ask
