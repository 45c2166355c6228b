"""Where a cluster stands, asked on its head: why trials wait, and how far its studies are."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from groupdir.command_line.program import MISTAKE, print_json
from groupdir.errors import DataError
from groupdir.files.study_files import EVENT_LOG
from launch.doctor.diagnosis import Finding, Need, NodeReport, pending
from launch.on_ray import private
from launch.on_ray.capacity import kinds, own_machines
from launch.on_ray.slots import Request
from launch.screen.watch import glance, standing

WAIT = ("PENDING", "RESCHEDULING")  # of a placement group, which is what Tune asks for each trial


def status(results: Path, json: bool = False) -> int:
    """Print why trials wait on the Ray that RAY_ADDRESS names, or that runs here, and where studies stand.

    Args:
        results: Folder of the studies; those of benchmarks are one level below.
        json: Print JSON.

    Returns:
        The exit code: 0, 2 where a study could not be read (the others are shown).
    """
    if json:
        return _print_json(results)
    for line in _waiting():
        print(line)
    found, code = studies(results), 0
    if not found:
        print(f"no study in {results} yet")
    for folder in found:
        try:
            glance([folder])
        except DataError as error:
            print(error)
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
    """The folders of studies, those of tables included; not those that are being made."""
    paths = [*results.glob(f"*/{EVENT_LOG}"), *results.glob(f"*/*/{EVENT_LOG}")]
    return sorted(path.parent for path in paths if not path.parent.name.startswith("."))


def explain(
    groups: Iterable[Mapping[str, Any]], nodes: list[NodeReport], may_come: list[dict[str, float]], expected: int
) -> list[str]:
    """Why trials wait, in words; nothing where none does.

    Args:
        groups: Ray's placement groups.
        nodes: Those that are there.
        may_come: What one node has of each kind that the autoscaler may add.
        expected: How many machines of one's own there are, the head included; 0 for those of a cloud.
    """
    asked = [bundle for group in groups if group["state"] in WAIT for bundle in group["bundles"].values()]
    waiting = Counter(map(Request.of, asked))
    found = []
    for request, count in sorted(waiting.items(), key=str):
        need = Need([request], data_on_nodes=False, storage="", may_come=may_come)
        found += [f"{count} trial{'' if count == 1 else 's'} waiting: {finding}" for finding in pending(nodes, need)]
    if found and len(nodes) < expected:
        text = f"{len(nodes)} of {expected} machines are there, and the others could take trials"
        found.append(str(Finding("cluster", text, "turn them on; Ray is started on them within minutes", fatal=False)))
    return found


def _waiting() -> list[str]:
    """Why trials wait on the Ray that runs."""
    import ray
    from ray.util import placement_group_table

    try:
        address = os.environ.get("RAY_ADDRESS", "auto")
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError:
        return ["no Ray runs here"]
    try:
        free = private.free_resources()
        there = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        nodes = [
            NodeReport(node["NodeID"], node["NodeManagerAddress"], node["Resources"], free.get(node["NodeID"], {}))
            for node in there
        ]
        workers = own_machines()
        return explain(placement_group_table().values(), nodes, kinds(), 1 + len(workers) if workers else 0)
    finally:
        ray.shutdown()
