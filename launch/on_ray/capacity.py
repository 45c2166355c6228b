"""What nodes may come to a cluster that grows when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from launch.on_ray.private import HEADS_COPY


@dataclass(frozen=True)
class Coming:
    """What an autoscaler may add. A search begins while a cluster of a cloud has no worker yet.

    Attributes:
        nodes: What each has, all that its kind allows.
        most: How many of them at once.
    """

    nodes: Sequence[Mapping[str, float]] = ()
    most: int = 0

    def holds(self, fits: Callable[[Mapping[str, float]], int]) -> int:
        """How many trials fit on the best choice of nodes.

        Args:
            fits: How many fit on one.
        """
        return sum(sorted((fits(node) for node in self.nodes), reverse=True)[: self.most])


def coming(file: str | Path = HEADS_COPY) -> Coming:
    """What may come to the cluster of a file, as the head has it; nothing to one that `ray up` did not make."""
    cluster = _cluster(file)
    if cluster is None:
        return Coming()
    each = [
        _resources(kind)
        for kind in cluster["available_node_types"].values()
        for _ in range(int(kind.get("max_workers", 0)))
    ]
    return Coming(each, int(cluster["max_workers"]))


def kinds(file: str | Path = HEADS_COPY) -> list[dict[str, float]]:
    """What one node has of each kind that the autoscaler may add; none where no autoscaler is known."""
    cluster = _cluster(file) or {"available_node_types": {}}
    may_come = [kind for kind in cluster["available_node_types"].values() if int(kind.get("max_workers", 0))]
    return [_resources(kind) for kind in may_come]


def _resources(kind: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in kind.get("resources", {}).items()}


def own_machines(file: str | Path = HEADS_COPY) -> list[str]:
    """The workers of a cluster of one's own machines, as its file lists them; none where they come from a cloud."""
    provider = (_cluster(file) or {}).get("provider", {})
    return [str(worker) for worker in provider.get("worker_ips") or ()] if provider.get("type") == "local" else []


def _cluster(file: str | Path) -> dict[str, Any] | None:
    path = Path(file).expanduser()
    found: dict[str, Any] | None = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return found
