"""Asks every node of the cluster what it is and what it can reach, and says what must be mended before a search."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from groupdir.config.space import StudyConfig, load_space
from groupdir.errors import DataError
from groupdir.files.storage import Place
from groupdir.files.study_files import results_folder
from groupdir.node import probe
from groupdir.registry import resolve
from launch.doctor.diagnosis import GIB, Finding, Need, NodeReport, judge
from launch.on_ray import private
from launch.on_ray.backend import quiet_ray
from launch.on_ray.capacity import coming, kinds, own_machines
from launch.on_ray.slots import alive_nodes, requests

ANSWER = 300.0
"""Seconds in which a node must answer: it imports torch, and looks at every file of the data."""
ARRIVAL = 90.0
"""Seconds in which one's own machines join a head that has just started."""


def doctor(file: str | Path, overrides: Sequence[str] = (), out: str | Path | None = None) -> int:
    """Examines the cluster that RAY_ADDRESS names, or this machine, for a search space.

    Args:
        file: A search space.
        overrides: `address=value` texts, as of `--set`.
        out: The study's folder, as of `search`.

    Returns:
        The exit code: 0, 1 where something must be mended.
    """
    config = load_space(file, overrides)
    folder = results_folder(config.name, out)
    with quiet_ray(0):
        health = examine(config, folder)
    health.show()
    return 1 if health.fatal else 0


def refuse_sick(config: StudyConfig, folder: Path) -> None:
    """Refuses to search on a cluster on which it would fail; one machine that stays alone is not asked.

    A cluster begins as a head alone: one's own machines are waited for, those of a cloud come when trials do.

    Raises:
        DataError: With every finding that is fatal.
    """
    if not os.environ.get("RAY_ADDRESS"):
        return
    with quiet_ray(0):
        await_machines(own_machines())
        health = examine(config, folder) if kinds() or len(_alive()) > 1 else None
    if health is None:
        return
    health.show()
    if health.fatal:
        raise DataError(
            f"{config.file or config.name}: the cluster must be able to run it, got the errors above: mend them, or "
            "give --skip-doctor"
        )


@dataclass(frozen=True)
class Health:
    """What an examination found."""

    reports: Sequence[NodeReport]
    findings: Sequence[Finding]

    @property
    def fatal(self) -> bool:
        """Whether a search must not start."""
        return any(finding.fatal for finding in self.findings)

    def show(self) -> None:
        """Prints a row for each node, and what is wrong."""
        titles = ("node", "groupdir", "python", "torch (cuda, driver)", "gpus", "data", "free disk", "clock")
        table = Table(*titles)
        for report in self.reports:
            table.add_row(*_row(report))
        shown = Console()
        (shown if shown.is_terminal else Console(width=200)).print(table)
        for finding in self.findings:
            print(finding)
        if not self.findings:
            count = len(self.reports)
            print(f"{count} node{'' if count == 1 else 's'}: all is well")


def examine(config: StudyConfig, folder: Path) -> Health:
    """Asks all nodes of the cluster that this process is connected to."""
    trial = config.space.build(next(iter(config.space.corners())))
    storage = Place.at(config.search.storage_path or folder.absolute().parent)
    meeting = str(storage / f".doctor-{uuid.uuid4().hex[:8]}")
    to_come = coming().nodes if os.environ.get("RAY_ADDRESS") else ()
    asks = requests(config.search.resources, [*alive_nodes(), *to_come])
    here = {"versions": probe.versions(), "code": probe.code_digest(), "data": probe.data(trial.to_dict())}
    try:
        reports = _ask(trial.to_dict(), meeting)
    finally:
        probe.part(meeting)
    open_data = any(name.partition(".")[0] == "data" for name in config.space.parameters)
    on_nodes = open_data or bool(resolve("data", trial.data.name).on_each_node)  # type: ignore[attr-defined]
    need = Need(asks, on_nodes, str(storage), *_to_come(storage))
    return Health(reports, judge(reports, here, need))


def _to_come(storage: Place) -> tuple[Sequence[dict[str, float]], Sequence[str], bool]:
    """Of `Need`: what may come, who has not, and whether a cloud's nodes would come to a folder that is not theirs."""
    if not os.environ.get("RAY_ADDRESS"):
        return (), (), False
    own = own_machines()
    private = storage.path is not None and not probe.on_network(storage.path)
    return kinds(), missing(own), bool(kinds()) and not own and private


def await_machines(listed: Sequence[str], patience: float = ARRIVAL) -> None:
    """Waits for one's own machines, and says so; once in a process for those that do not come."""
    expected = [name for name in missing(listed) if name not in _gone]
    if not expected:
        return
    print(f"waiting up to {patience:g} s for {', '.join(expected)}", flush=True)
    end = time.monotonic() + patience
    while set(expected) & set(missing(listed)) and time.monotonic() < end:
        time.sleep(1)
    _gone.update(missing(listed))


_gone: set[str] = set()  # a table has many searches, which need not all wait


def missing(listed: Sequence[str]) -> list[str]:
    """Which of one's own machines Ray does not have."""
    there = {str(node["NodeManagerAddress"]) for node in _alive()}
    return [name for name in listed if name not in there and _address(name) not in there]


def _address(name: str) -> str:
    try:
        return socket.gethostbyname(name)
    except OSError:
        return name


def _alive() -> list[dict[str, Any]]:
    import ray

    found = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return sorted(found, key=lambda node: str(node["NodeManagerAddress"]))


def _ask(trial: dict[str, Any], meeting: str) -> list[NodeReport]:
    """The reports of all nodes: each is asked for all of itself, then whom it met, then the time."""
    nodes = _alive()
    names = [str(node["NodeID"]) for node in nodes]
    folders = {str(node["NodeID"]): private.session_folder(node) for node in nodes}
    said = _on_each(names, probe.probe, lambda name: (trial, meeting, name, folders[name]))
    there = [name for name in names if not isinstance(said[name], str)]
    wrote = [name for name in there if not said[name]["storage"]]
    met = _on_each(there, probe.meet, lambda name: (meeting, wrote))
    _on_each(there, probe.part, lambda name: (meeting,))
    free = private.free_resources()
    reports = []
    for node, name in zip(nodes, names, strict=True):
        about = {"resources": node["Resources"], "free": free.get(name, {})}
        if isinstance(said[name], str):
            reports.append(NodeReport(name, node["NodeManagerAddress"], **about, message=said[name]))
            continue
        seen = met[name] if not isinstance(met[name], str) else {"names": [], "message": met[name]}
        skew = _skew(name)
        reports.append(NodeReport(name, node["NodeManagerAddress"], **about, said=said[name], met=seen, skew=skew))
    return reports


def _on_each(
    nodes: Sequence[str], function: Callable[..., Any], arguments: Callable[[str], tuple[Any, ...]]
) -> dict[str, Any]:
    """What a function gives on each node, run there once with no CPU of its own; a text where it could not run."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    refs = {_task(node, function).remote(*arguments(node)): node for node in nodes}
    done, late = ray.wait(list(refs), num_returns=len(refs), timeout=ANSWER) if refs else ([], [])
    found: dict[str, Any] = {}
    for ref in late:
        ray.cancel(ref, force=True)
        found[refs[ref]] = f"it did not answer within {ANSWER:g} s"
    for ref in done:
        try:
            found[refs[ref]] = ray.get(ref)
        except (RayTaskError, ImportError, AttributeError) as error:  # its groupdir may lack the function
            found[refs[ref]] = f"it cannot run the driver's groupdir: {_last_line(error)}"
        except RayError as error:
            found[refs[ref]] = f"it takes no task: {_last_line(error)}"
    return found


def _task(node: str, function: Callable[..., Any]) -> Any:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=there)


def _skew(node: str) -> float:
    """Seconds that a node's clock is surely ahead: what is left of the difference after the time that asking took."""
    found = []
    for _ in range(2):  # the first may wait for a process to start
        before = time.time()
        answer = _on_each([node], probe.clock, lambda _: ())[node]
        after = time.time()
        if not isinstance(answer, str):
            found.append(max(0.0, answer - after) + min(0.0, answer - before))
    return min(found, key=abs, default=0.0)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _row(report: NodeReport) -> list[str]:
    if report.said is None:
        return [report.name, "-", "-", "-", "-", "-", "-", "-"]
    said = report.said
    versions, gpus = said["versions"], said["gpus"]["found"]
    cards = ", ".join(f"{gpu['name']} {_memory(gpu['bytes'])}" for gpu in gpus)
    return [
        report.name,
        f"{versions['groupdir']} {said['code']}",
        versions["python"],
        f"{versions['torch']} ({versions['cuda'] or 'none'}, {versions['driver'] or 'none'})",
        f"{len(gpus)}: {cards}" if gpus else "0",
        said["data"].get("digest", "not read"),
        ", ".join(f"{disk['free'] / GIB:.1f} GiB" for disk in said["disks"]),
        f"{report.skew:+.0f} s" if report.skew else "same",
    ]


def _memory(size: int | None) -> str:
    return "memory unknown" if size is None else f"{size / GIB:.0f} GiB"
