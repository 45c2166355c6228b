"""What a cluster that grows when it is asked could hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

HEADS_COPY = "~/ray_bootstrap_config.yaml"  # of the cluster's file, where `ray up` puts it


def capacity(there: Mapping[str, float], file: str | Path = HEADS_COPY) -> dict[str, float]:
    """CPUs and GPUs of a cluster once its autoscaler has made all the nodes that it may.

    A search begins while a cluster of a cloud has no worker yet: what is there then says neither that it has GPUs nor
    how many trials can run at once.

    Args:
        there: What the nodes that run have.
        file: The cluster's file as the head has it; a head that `ray up` did not make has none.

    Returns:
        The larger of what is there and what may be.
    """
    cluster, found = _cluster(file), dict(there)
    if cluster is None:
        return found
    for name in ("CPU", "GPU"):
        each = [
            float(kind.get("resources", {}).get(name, 0))
            for kind in cluster["available_node_types"].values()
            for _ in range(int(kind.get("max_workers", 0)))
        ]
        may_be = sum(sorted(each, reverse=True)[: int(cluster["max_workers"])])
        if may_be > found.get(name, 0):
            found[name] = may_be
    return found


def kinds(file: str | Path = HEADS_COPY) -> list[dict[str, float]]:
    """What one node has of each kind that the autoscaler may add; none where no autoscaler is known."""
    cluster = _cluster(file) or {"available_node_types": {}}
    may_come = [kind for kind in cluster["available_node_types"].values() if int(kind.get("max_workers", 0))]
    return [{name: float(value) for name, value in kind.get("resources", {}).items()} for kind in may_come]


def machines(file: str | Path = HEADS_COPY) -> int:
    """How many machines a cluster of one's own has, the head included; 0 for a cloud's and where no file is known."""
    provider = (_cluster(file) or {}).get("provider", {})
    return 1 + len(provider["worker_ips"]) if provider.get("type") == "local" else 0


def _cluster(file: str | Path) -> dict[str, Any] | None:
    path = Path(file).expanduser()
    found: dict[str, Any] | None = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return found
