"""Examination of every node before a search: its software and resources, what it can reach, what must be fixed."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from groupdir.command_line.console import new_console, say
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
"""Seconds within which a node must answer. It imports torch and checks every file of the data."""
ARRIVAL = 90.0
"""Seconds to wait for the machines of a cluster file to join a new head."""


def doctor(file: str | Path, overrides: Sequence[str] = (), out: str | Path | None = None) -> int:
    """Examine the cluster at RAY_ADDRESS for a search, and print the result. Without RAY_ADDRESS, examine this machine.

    Args:
        file: A search space.
        overrides: Texts `address=value` that replace values of the file, as `--set` does.
        out: Folder of the study, as for `search`.

    Returns:
        Exit code: 1 if an error would make the search fail, else 0.
    """
    config = load_space(file, overrides)
    folder = results_folder(config.name, out)
    with quiet_ray(0):
        health = examine(config, folder)
    health.show()
    return 1 if health.fatal else 0


def refuse_sick(config: StudyConfig, folder: Path) -> None:
    """Print the examination of a cluster, and refuse a search that would fail there.

    Without RAY_ADDRESS, or if the cluster has one node and can get no other, nothing is examined. A cluster starts with
    its head only. This function waits for the machines of a cluster file, but not for those of a cloud, which join when
    trials need them.

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
    """Result of an examination: a report for each node, and the problems."""

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
        console = new_console()
        (console if console.is_terminal else new_console(width=200)).print(table)
        for finding in self.findings:
            say(str(finding))
        if not self.findings:
            count = len(self.reports)
            say(f"{count} node{'' if count == 1 else 's'}: all is well")


def examine(config: StudyConfig, folder: Path) -> Health:
    """Examine all nodes of the Ray cluster that this process is connected to, for a study with its folder."""
    trial = config.space.build(next(iter(config.space.corners())))
    storage = Place.at(config.search.storage_path or folder.absolute().parent)
    meeting = str(storage / f".doctor-{uuid.uuid4().hex[:8]}")
    to_come = coming().nodes if os.environ.get("RAY_ADDRESS") else ()
    asks = requests(config.search.resources, [*alive_nodes(), *to_come])
    driver = {"versions": probe.versions(), "code": probe.code_digest(), "data": probe.data(trial.to_dict())}
    try:
        reports = _ask(trial.to_dict(), meeting)
    finally:
        probe.part(meeting)
    open_data = any(name.partition(".")[0] == "data" for name in config.space.parameters)
    on_nodes = open_data or bool(resolve("data", trial.data.name).on_each_node)  # type: ignore[attr-defined]
    need = Need(asks, on_nodes, str(storage), *_to_come(storage))
    return Health(reports, judge(reports, driver, need))


def _to_come(storage: Place) -> tuple[Sequence[dict[str, float]], Sequence[str], bool]:
    """Return the fields `may_come`, `missing` and `private` of `Need`, about nodes that may join later."""
    if not os.environ.get("RAY_ADDRESS"):
        return (), (), False
    machines = own_machines()
    local_storage = storage.path is not None and not probe.on_network(storage.path)
    return kinds(), missing(machines), bool(kinds()) and not machines and local_storage


def await_machines(listed: Sequence[str], patience: float = ARRIVAL) -> None:
    """Wait for the missing machines of a cluster file, and print their names. Wait for each only once per process."""
    expected = [name for name in missing(listed) if name not in _absent]
    if not expected:
        return
    say(f"waiting up to {patience:g} s for {', '.join(expected)}")
    end = time.monotonic() + patience
    while set(expected) & set(missing(listed)) and time.monotonic() < end:
        time.sleep(1)
    _absent.update(missing(listed))


_absent: set[str] = (
    set()
)  # machines that did not join: a benchmark runs many searches, and only its first one waits for them


def missing(listed: Sequence[str]) -> list[str]:
    """Return the machines of a cluster file that have not joined Ray."""
    joined = {str(node["NodeManagerAddress"]) for node in _alive()}
    return [name for name in listed if name not in joined and _address(name) not in joined]


def _address(name: str) -> str:
    """Return the network address of a host, or its name if it cannot be resolved."""
    try:
        return socket.gethostbyname(name)
    except OSError:
        return name


def _alive() -> list[dict[str, Any]]:
    """Return Ray's records of the nodes that are alive, sorted by address."""
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return sorted(nodes, key=lambda node: str(node["NodeManagerAddress"]))


def _ask(trial: dict[str, Any], meeting: str) -> list[NodeReport]:
    """Return a report of each node. A node runs the probe, looks for the files of the other nodes, and sends its time.

    Args:
        trial: Trial whose data is read, as a mapping.
        meeting: Folder in the storage in which each node writes a file for the others.
    """
    nodes = _alive()
    names = [str(node["NodeID"]) for node in nodes]
    folders = {str(node["NodeID"]): private.session_folder(node) for node in nodes}
    answers = _on_each(names, probe.probe, lambda name: (trial, meeting, name, folders[name]))
    answered = [name for name in names if not isinstance(answers[name], str)]
    writers = [name for name in answered if not answers[name]["storage"]]
    seen = _on_each(answered, probe.meet, lambda name: (meeting, writers))
    _on_each(answered, probe.part, lambda name: (meeting,))
    free = private.free_resources()
    reports = []
    for node, name in zip(nodes, names, strict=True):
        known = {"resources": node["Resources"], "free": free.get(name, {})}
        if isinstance(answers[name], str):
            reports.append(NodeReport(name, node["NodeManagerAddress"], **known, message=answers[name]))
            continue
        met = seen[name] if not isinstance(seen[name], str) else {"names": [], "message": seen[name]}
        skew = _skew(name)
        reports.append(NodeReport(name, node["NodeManagerAddress"], **known, said=answers[name], met=met, skew=skew))
    return reports


def _on_each(
    nodes: Sequence[str], function: Callable[..., Any], arguments: Callable[[str], tuple[Any, ...]]
) -> dict[str, Any]:
    """Run a function once on each node, without reserving a CPU. `arguments` gives the arguments for a node.

    Returns:
        Node -> the result of the function, or a text with the reason why it could not run.
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
        except (
            RayTaskError,
            ImportError,
            AttributeError,
        ) as error:  # the version of groupdir on that node may lack the function
            results[refs[ref]] = f"the node cannot run the driver's groupdir: {_last_line(error)}"
        except RayError as error:
            results[refs[ref]] = f"the node accepts no task: {_last_line(error)}"
    return results


def _task(node: str, function: Callable[..., Any]) -> Any:
    """Return a Ray task that runs the function on this node only."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    on_node = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=on_node)


def _skew(node: str) -> float:
    """Return a lower bound of the seconds by which a node's clock is ahead of ours; negative: behind, 0: may agree."""
    skews = []
    for _ in range(2):  # the first question may wait for a worker process to start
        before = time.time()
        answer = _on_each([node], probe.clock, lambda _: ())[node]
        after = time.time()
        if not isinstance(answer, str):
            skews.append(max(0.0, answer - after) + min(0.0, answer - before))
    return min(skews, key=abs, default=0.0)


def _last_line(error: Exception) -> str:
    """Return the last line of an error's text that is not empty, or the name of its class."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _row(report: NodeReport) -> list[str]:
    """Return the row of a node in the table of `Health.show`."""
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
