"""Slots of a cluster: how many trials fit while nodes join and leave, and which resources each trial requests."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

from groupdir.config.search import ResourcesConfig, SearchConfig
from launch.on_ray.capacity import Coming, coming
from launch.on_ray.private import KIND_OF_GPU as KIND
from launch.on_ray.sharing import Sharing

Amounts = Mapping[str, float]
AGE = 2.0  # seconds until the nodes are queried again


@dataclass(frozen=True)
class Request:
    """Resources that a trial requests.

    Attributes:
        cpu: Number of CPUs.
        gpu: Number of GPUs, or the share of one.
        kind: Kind of GPU as Ray names it, such as A100, or "" for any.
    """

    cpu: float
    gpu: float
    kind: str = ""

    @property
    def bundle(self) -> dict[str, float]:
        """Request in the form that Ray reads."""
        amounts = {"CPU": self.cpu, "GPU": self.gpu} | ({KIND + self.kind: 0.001} if self.kind else {})
        return {name: amount for name, amount in amounts.items() if amount}

    @classmethod
    def of(cls, bundle: Amounts) -> Request:
        """Return the request with the given bundle."""
        kinds = [name.removeprefix(KIND) for name in bundle if name.startswith(KIND)]
        return cls(bundle.get("CPU", 0.0), bundle.get("GPU", 0.0), "".join(kinds))

    def __str__(self) -> str:
        return in_words(self.bundle)

    def fits(self, node: Amounts) -> int:
        """Return how many such requests fit on a node with the given resources."""
        return min(math.floor(node.get(name, 0.0) / amount + 1e-9) for name, amount in self.bundle.items())


def in_words(amounts: Amounts) -> str:
    """Return a text with the CPUs and GPUs of a node or a request.

    >>> in_words({"CPU": 4, "GPU": 0.5}), in_words({"CPU": 1}), str(Request(1, 2, "T4"))
    ('4 CPUs and 0.5 GPUs', '1 CPU and 0 GPUs', '1 CPU and 2 GPUs (T4)')
    """
    cpu, gpu = amounts.get("CPU", 0), amounts.get("GPU", 0)
    kinds = ", ".join(name.removeprefix(KIND) for name in amounts if name.startswith(KIND))
    gpus = f"{gpu:g} GPU{'' if gpu == 1 else 's'}" + (f" ({kinds})" if kinds else "")
    return f"{cpu:g} CPU{'' if cpu == 1 else 's'} and {gpus}"


def requests(resources: ResourcesConfig, nodes: Sequence[Amounts]) -> list[Request]:
    """Return the requests that a trial may make: one for each kind of GPU that `search.resources` names, else one.

    Args:
        resources: The `search.resources` of a study.
        nodes: Resources of the nodes that run or may join. With `gpu: auto` a trial requests a GPU if any has one.
    """
    if isinstance(resources.gpu, dict):
        return [Request(resources.cpu, share, kind) for kind, share in resources.gpu.items()]
    if resources.gpu == "auto":
        return [Request(resources.cpu, 1.0 if any(node.get("GPU") for node in nodes) else 0.0)]
    return [Request(resources.cpu, float(resources.gpu))]


class Slots:
    """Slots of a cluster: which trials run, with which request, and how many more fit right now.

    A node counts from the moment it joins until it leaves.

    Args:
        search: Configuration of the search, with the resources of a trial.
        alive: Function that returns the resources of each running node.
        to_come: Nodes that an autoscaler may add.
        spare: Number of trials to queue beyond those that fit. An autoscaler with unknown limits adds nodes only for
            queued trials.
        sharing: Part of the cluster that the search may use, or None if it has the cluster for itself.
    """

    def __init__(
        self,
        search: SearchConfig,
        alive: Callable[[], Sequence[Amounts]],
        to_come: Coming,
        spare: int = 0,
        sharing: Sharing | None = None,
    ) -> None:
        self._search, self._alive, self._to_come, self._spare, self._sharing = search, alive, to_come, spare, sharing
        self._running: set[Hashable] = set()
        self._has_more = True
        self._live: dict[Hashable, Request] = {}
        self._looked = -math.inf
        self._rooms: dict[Request, int] = {}

    @classmethod
    def of_cluster(
        cls, search: SearchConfig, refused: Callable[[], Collection[str]] = tuple, sharing: Sharing | None = None
    ) -> Slots:
        """Return the slots of the Ray cluster that this process is connected to.

        Args:
            search: Configuration of the search.
            refused: Function that returns the ids of the nodes that get no trial.
            sharing: Part of the cluster that the search may use.
        """
        on_cluster = bool(os.environ.get("RAY_ADDRESS"))
        in_pod = on_cluster and "KUBERNETES_SERVICE_HOST" in os.environ
        return cls(search, lambda: alive_nodes(refused()), coming() if on_cluster else Coming(), int(in_pod), sharing)

    @property
    def rooms(self) -> dict[Request, int]:
        """Number of trials that fit for each request, after the cluster has grown to its maximum."""
        if time.monotonic() - self._looked > AGE:
            alive, may_come = self._alive(), self._to_come
            choices = requests(self._search.resources, [*alive, *may_come.nodes])
            self._rooms = {
                request: max(sum(request.fits(node) for node in alive), may_come.holds(request.fits))
                for request in choices
            }
            self._looked = time.monotonic()
        return self._rooms

    def take(self, trial: Hashable) -> Request | None:
        """Take a slot and return its request, or return None if the next trial must wait for a free slot."""
        if len(self._live) >= self._limit():
            return None
        self._live[trial] = request = self._freest()
        return request

    def _limit(self) -> int:
        fit = max(1, sum(self.rooms.values()) + self._spare)
        limit = self._search.concurrency or fit
        if self._sharing is None:
            return limit
        more = self._has_more and len(self._live) < limit
        share = self._sharing.limit(fit, len(self._live), len(self._running), more)
        return limit if share is None else min(limit, share)

    def started(self, trial: Hashable) -> None:
        """Note that a trial has got its place and runs."""
        self._running.add(trial)

    def has_more(self, more: bool) -> None:
        """Note whether the search has further trials that could start now."""
        self._has_more = more

    def leaves_slot(self) -> bool:
        """Return whether the slot of a trial that ends now must be free for another search on the cluster."""
        return self._sharing is not None and self._sharing.leaves_slot(len(self._live))

    def move(self, trial: Hashable) -> Request:
        """Return a new request for a trial that lost its node, because all nodes with its kind of GPU may be gone."""
        self._live.pop(trial, None)
        self._running.discard(trial)
        self._live[trial] = request = self._freest()
        return request

    def give_back(self, trial: Hashable) -> None:
        """Free the slot of a trial that has ended."""
        self._live.pop(trial, None)
        self._running.discard(trial)

    def _freest(self) -> Request:
        taken = list(self._live.values())
        return max(self.rooms, key=lambda request: self.rooms[request] - taken.count(request))


def alive_nodes(refused: Collection[str] = ()) -> list[Amounts]:
    """Return the resources of each running node that is not refused."""
    import ray

    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in nodes if node["Alive"] and node["NodeID"] not in refused]
