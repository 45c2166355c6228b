"""Nodes that an autoscaler may add to a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from launch.on_ray.private import HEADS_COPY


@dataclass(frozen=True)
class Coming:
    """Nodes that an autoscaler may add. A search in a cloud starts before the cluster has its first worker.

    Attributes:
        nodes: Resources of each node, as many nodes of each kind as the kind allows.
        most: Maximal number of these nodes at the same time.
    """

    nodes: Sequence[Mapping[str, float]] = ()
    most: int = 0

    def holds(self, fits: Callable[[Mapping[str, float]], int]) -> int:
        """Return how many trials fit on the best choice of at most `most` nodes.

        Args:
            fits: Function from the resources of a node to the number of trials that fit on it.
        """
        return sum(sorted((fits(node) for node in self.nodes), reverse=True)[: self.most])


def coming(file: str | Path = HEADS_COPY) -> Coming:
    """Return the nodes that may join the cluster of a file. No node may join if `ray up` did not start the cluster.

    Args:
        file: File of the cluster, as `ray up` puts it on the head.
    """
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
    """Return the resources of a node of each kind that the autoscaler may add, or an empty list without autoscaler."""
    cluster = _cluster(file) or {"available_node_types": {}}
    available = [kind for kind in cluster["available_node_types"].values() if int(kind.get("max_workers", 0))]
    return [_resources(kind) for kind in available]


def _resources(kind: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in kind.get("resources", {}).items()}


def own_machines(file: str | Path = HEADS_COPY) -> list[str]:
    """Return the workers that the file of an on-premise cluster lists, or an empty list for a cluster in a cloud."""
    provider = (_cluster(file) or {}).get("provider", {})
    return [str(worker) for worker in provider.get("worker_ips") or ()] if provider.get("type") == "local" else []


def _cluster(file: str | Path) -> dict[str, Any] | None:
    path = Path(file).expanduser()
    content: dict[str, Any] | None = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return content
