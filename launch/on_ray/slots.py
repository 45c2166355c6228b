"""What a trial takes of a cluster, which kind of GPU it goes to, and how many run at once while nodes come and go."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from groupdir.config.search import ResourcesConfig, SearchConfig
from launch.on_ray.capacity import Coming, coming
from launch.on_ray.private import KIND_OF_GPU as KIND

Amounts = Mapping[str, float]
AGE = 2.0  # seconds that a look at the nodes holds


@dataclass(frozen=True)
class Request:
    """What one trial asks for.

    Attributes:
        cpu: CPUs.
        gpu: GPUs, or the part of one.
        kind: Of GPU, as Ray names it, such as A100; "": any.
    """

    cpu: float
    gpu: float
    kind: str = ""

    @property
    def bundle(self) -> dict[str, float]:
        """As Ray reads it."""
        asked = {"CPU": self.cpu, "GPU": self.gpu} | ({KIND + self.kind: 0.001} if self.kind else {})
        return {name: amount for name, amount in asked.items() if amount}

    @classmethod
    def of(cls, bundle: Amounts) -> Request:
        """That which has this bundle."""
        kinds = [name.removeprefix(KIND) for name in bundle if name.startswith(KIND)]
        return cls(bundle.get("CPU", 0.0), bundle.get("GPU", 0.0), "".join(kinds))

    def __str__(self) -> str:
        return in_words(self.bundle)

    def fits(self, there: Amounts) -> int:
        """How many of them a node holds."""
        return min(math.floor(there.get(name, 0.0) / amount + 1e-9) for name, amount in self.bundle.items())


def in_words(there: Amounts) -> str:
    """CPUs and GPUs of a node or a trial.

    >>> in_words({"CPU": 4, "GPU": 0.5}), in_words({"CPU": 1}), str(Request(1, 2, "T4"))
    ('4 CPUs and 0.5 GPUs', '1 CPU and 0 GPUs', '1 CPU and 2 GPUs (T4)')
    """
    cpu, gpu = there.get("CPU", 0), there.get("GPU", 0)
    kinds = ", ".join(name.removeprefix(KIND) for name in there if name.startswith(KIND))
    gpus = f"{gpu:g} GPU{'' if gpu == 1 else 's'}" + (f" ({kinds})" if kinds else "")
    return f"{cpu:g} CPU{'' if cpu == 1 else 's'} and {gpus}"


def requests(asked: ResourcesConfig, nodes: Sequence[Amounts]) -> list[Request]:
    """What a trial may ask for, where these nodes are or may come: one for each kind of GPU that the file names."""
    if isinstance(asked.gpu, dict):
        return [Request(asked.cpu, share, kind) for kind, share in asked.gpu.items()]
    if asked.gpu == "auto":
        return [Request(asked.cpu, 1.0 if any(node.get("GPU") for node in nodes) else 0.0)]
    return [Request(asked.cpu, float(asked.gpu))]


class Slots:
    """Who may run now, and on what. A node counts as soon as it is there, and no more when it is gone.

    Args:
        search: Says what a trial takes.
        alive: Gives what each node that runs has.
        to_come: What an autoscaler may add.
        spare: Trials that wait beyond what fits, where an autoscaler is unknown and comes for those that wait.
    """

    def __init__(
        self, search: SearchConfig, alive: Callable[[], Sequence[Amounts]], to_come: Coming, spare: int = 0
    ) -> None:
        self._search, self._alive, self._to_come, self._spare = search, alive, to_come, spare
        self._live: dict[Hashable, Request] = {}
        self._looked = -math.inf
        self._rooms: dict[Request, int] = {}

    @classmethod
    def of_cluster(cls, search: SearchConfig) -> Slots:
        """Those of the Ray that this process is connected to."""
        on_cluster = bool(os.environ.get("RAY_ADDRESS"))
        in_pod = on_cluster and "KUBERNETES_SERVICE_HOST" in os.environ
        return cls(search, alive_nodes, coming() if on_cluster else Coming(), int(in_pod))

    @property
    def rooms(self) -> dict[Request, int]:
        """For each request how many trials of it fit, if the cluster grows as far as it may."""
        if time.monotonic() - self._looked > AGE:
            alive, may_come = self._alive(), self._to_come
            asked = requests(self._search.resources, [*alive, *may_come.nodes])
            self._rooms = {
                request: max(sum(request.fits(node) for node in alive), may_come.holds(request.fits))
                for request in asked
            }
            self._looked = time.monotonic()
        return self._rooms

    def take(self, trial: Hashable) -> Request | None:
        """What the next trial asks for; None: it has to wait until another has ended, or a node has come."""
        limit = self._search.concurrency or max(1, sum(self.rooms.values()) + self._spare)
        if len(self._live) >= limit:
            return None
        self._live[trial] = request = self._freest()
        return request

    def move(self, trial: Hashable) -> Request:
        """What a trial that lost its place asks for now: the nodes that had its kind of GPU may all be gone."""
        self._live.pop(trial, None)
        self._live[trial] = request = self._freest()
        return request

    def give_back(self, trial: Hashable) -> None:
        """It has ended."""
        self._live.pop(trial, None)

    def _freest(self) -> Request:
        taken = list(self._live.values())
        return max(self.rooms, key=lambda request: self.rooms[request] - taken.count(request))


def alive_nodes() -> list[Amounts]:
    """What each node has that runs."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
