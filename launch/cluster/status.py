"""Status of a cluster, asked on its head: why trials wait, and the progress of its studies."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from groupdir.command_line.console import say
from groupdir.command_line.program import MISTAKE, print_json
from groupdir.errors import DataError
from groupdir.files.study_files import EVENT_LOG
from launch.doctor.diagnosis import Finding, Need, NodeReport, pending
from launch.on_ray import private
from launch.on_ray.capacity import kinds, own_machines
from launch.on_ray.slots import Request
from launch.screen.watch import glance, standing

WAIT = ("PENDING", "RESCHEDULING")  # states of a placement group, which Tune requests for each trial


def status(results: Path, json: bool = False) -> int:
    """Print why trials wait on the Ray at RAY_ADDRESS, or on this machine, and the progress of studies.

    Args:
        results: Folder of the studies; those of benchmarks are in its subfolders.
        json: Whether to print JSON.

    Returns:
        The exit code: 0, or 2 if a study could not be read (the others are shown).
    """
    if json:
        return _print_json(results)
    for line in _waiting():
        say(line)
    folders, code = studies(results), 0
    if not folders:
        say(f"no study in {results} yet")
    for folder in folders:
        try:
            glance([folder])
        except DataError as error:
            say(str(error))
            code = 2
    return code


def _print_json(results: Path) -> int:
    standings, broken = [], []
    for folder in studies(results):
        try:
            standings.append(standing(folder))
        except DataError as error:
            broken.append({"folder": str(folder), "error": str(error)})
    print_json({"cluster": _waiting(), "studies": standings, "broken": broken})
    return MISTAKE if broken else 0


def studies(results: Path) -> list[Path]:
    """Return the folders of studies, including those of benchmarks, except folders that are being created."""
    depths = ("*", "*/*", "*/*/*")  # a study, one of a benchmark, one of a block of a benchmark
    paths = [path for depth in depths for path in results.glob(f"{depth}/{EVENT_LOG}")]
    return sorted(path.parent for path in paths if not path.parent.name.startswith("."))


def explain(
    groups: Iterable[Mapping[str, Any]], nodes: list[NodeReport], may_come: list[dict[str, float]], expected: int
) -> list[str]:
    """Return the reasons why trials wait, in words; an empty list if none waits.

    Args:
        groups: Ray's placement groups.
        nodes: Nodes that have joined.
        may_come: Resources of one node of each kind that the autoscaler may add.
        expected: Number of machines in the cluster file, including the head; 0 for a cloud.
    """
    asked = [bundle for group in groups if group["state"] in WAIT for bundle in group["bundles"].values()]
    waiting = Counter(map(Request.of, asked))
    reasons = []
    for request, count in sorted(waiting.items(), key=str):
        need = Need([request], data_on_nodes=False, storage="", may_come=may_come)
        reasons += [f"{count} trial{'' if count == 1 else 's'} waiting: {finding}" for finding in pending(nodes, need)]
    if reasons and len(nodes) < expected:
        text = f"{len(nodes)} of {expected} machines have joined, and the others could run trials"
        reasons.append(str(Finding("cluster", text, "turn them on; Ray starts on them within minutes", fatal=False)))
    return reasons


def _waiting() -> list[str]:
    """Return the reasons why trials wait on the running Ray."""
    import ray
    from ray.util import placement_group_table

    try:
        address = os.environ.get("RAY_ADDRESS", "auto")
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError:
        return ["no Ray runs here"]
    try:
        free = private.free_resources()
        alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        nodes = [
            NodeReport(node["NodeID"], node["NodeManagerAddress"], node["Resources"], free.get(node["NodeID"], {}))
            for node in alive
        ]
        workers = own_machines()
        return explain(placement_group_table().values(), nodes, kinds(), 1 + len(workers) if workers else 0)
    finally:
        ray.shutdown()
