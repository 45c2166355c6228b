"""Examination of every node before a search: what it has, what it can reach, and what must be fixed."""

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
"""Seconds in which a node must answer: it imports torch and looks at every file of the data."""
ARRIVAL = 90.0
"""Seconds to wait for the machines of a cluster file to join a head that has just started."""


def doctor(file: str | Path, overrides: Sequence[str] = (), out: str | Path | None = None) -> int:
    """Examine the cluster at RAY_ADDRESS, or this machine, for a search space.

    Args:
        file: A search space.
        overrides: `address=value` texts, as for `--set`.
        out: Folder of the study, as for `search`.

    Returns:
        The exit code: 0, or 1 if something must be fixed.
    """
    config = load_space(file, overrides)
    folder = results_folder(config.name, out)
    with quiet_ray(0):
        health = examine(config, folder)
    health.show()
    return 1 if health.fatal else 0


def refuse_sick(config: StudyConfig, folder: Path) -> None:
    """Refuse to search on a cluster where the search would fail. A single machine is not examined.

    A cluster begins with its head alone. Machines of a cluster file are awaited; those of a cloud join once there are
    trials.

    Raises:
        DataError: If there are fatal findings.
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
            f"{config.file or config.name}: the cluster cannot run this search because of the errors above: fix them, "
            "or give --skip-doctor"
        )


@dataclass(frozen=True)
class Health:
    """Result of an examination."""

    reports: Sequence[NodeReport]
    findings: Sequence[Finding]

    @property
    def fatal(self) -> bool:
        """True if a finding forbids a search."""
        return any(finding.fatal for finding in self.findings)

    def show(self) -> None:
        """Print a row for each node, then all findings."""
        titles = ("node", "groupdir", "python", "torch (cuda, driver)", "gpus", "data", "free disk", "clock")
        table = Table(*titles)
        for report in self.reports:
            table.add_row(*_row(report))
        console = Console()
        (console if console.is_terminal else Console(width=200)).print(table)
        for finding in self.findings:
            print(finding)
        if not self.findings:
            count = len(self.reports)
            print(f"{count} node{'' if count == 1 else 's'}: all is well")


def examine(config: StudyConfig, folder: Path) -> Health:
    """Examine all nodes of the cluster that this process is connected to."""
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
    """Return `may_come`, `missing` and `private` of `Need`."""
    if not os.environ.get("RAY_ADDRESS"):
        return (), (), False
    machines = own_machines()
    private = storage.path is not None and not probe.on_network(storage.path)
    return kinds(), missing(machines), bool(kinds()) and not machines and private


def await_machines(listed: Sequence[str], patience: float = ARRIVAL) -> None:
    """Wait for the machines of a cluster file and say so. Machines that did not join are awaited once per process."""
    expected = [name for name in missing(listed) if name not in _gone]
    if not expected:
        return
    print(f"waiting up to {patience:g} s for {', '.join(expected)}", flush=True)
    end = time.monotonic() + patience
    while set(expected) & set(missing(listed)) and time.monotonic() < end:
        time.sleep(1)
    _gone.update(missing(listed))


_gone: set[str] = set()  # machines that did not join; a benchmark has many searches, which need not all wait


def missing(listed: Sequence[str]) -> list[str]:
    """Return the machines of a cluster file that have not joined Ray."""
    joined = {str(node["NodeManagerAddress"]) for node in _alive()}
    return [name for name in listed if name not in joined and _address(name) not in joined]


def _address(name: str) -> str:
    try:
        return socket.gethostbyname(name)
    except OSError:
        return name


def _alive() -> list[dict[str, Any]]:
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return sorted(nodes, key=lambda node: str(node["NodeManagerAddress"]))


def _ask(trial: dict[str, Any], meeting: str) -> list[NodeReport]:
    """Return the reports of all nodes: each runs the probe, then looks for the others' files, then tells its time."""
    nodes = _alive()
    names = [str(node["NodeID"]) for node in nodes]
    folders = {str(node["NodeID"]): private.session_folder(node) for node in nodes}
    said = _on_each(names, probe.probe, lambda name: (trial, meeting, name, folders[name]))
    answered = [name for name in names if not isinstance(said[name], str)]
    wrote = [name for name in answered if not said[name]["storage"]]
    met = _on_each(answered, probe.meet, lambda name: (meeting, wrote))
    _on_each(answered, probe.part, lambda name: (meeting,))
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
    """Run a function once on each node, without reserving a CPU.

    Returns:
        Node -> the result, or a text that says why the function could not run.
    """
    import ray
    from ray.exceptions import RayError, RayTaskError

    refs = {_task(node, function).remote(*arguments(node)): node for node in nodes}
    done, late = ray.wait(list(refs), num_returns=len(refs), timeout=ANSWER) if refs else ([], [])
    results: dict[str, Any] = {}
    for ref in late:
        ray.cancel(ref, force=True)
        results[refs[ref]] = f"the node did not answer within {ANSWER:g} s"
    for ref in done:
        try:
            results[refs[ref]] = ray.get(ref)
        except (RayTaskError, ImportError, AttributeError) as error:  # the groupdir there may lack the function
            results[refs[ref]] = f"the node cannot run the driver's groupdir: {_last_line(error)}"
        except RayError as error:
            results[refs[ref]] = f"the node accepts no task: {_last_line(error)}"
    return results


def _task(node: str, function: Callable[..., Any]) -> Any:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    on_node = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=on_node)


def _skew(node: str) -> float:
    """Return the seconds by which a node's clock is certainly ahead: the difference less the time of the question."""
    skews = []
    for _ in range(2):  # the first may wait for a process to start
        before = time.time()
        answer = _on_each([node], probe.clock, lambda _: ())[node]
        after = time.time()
        if not isinstance(answer, str):
            skews.append(max(0.0, answer - after) + min(0.0, answer - before))
    return min(skews, key=abs, default=0.0)


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
