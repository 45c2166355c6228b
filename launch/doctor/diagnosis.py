"""Diagnosis of a cluster from the reports of its nodes. This module uses neither Ray nor the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from launch.on_ray.slots import Request, in_words

CLOCK = 5.0
"""Largest difference of two clocks, in seconds. S3 refuses signed requests above 15 minutes; logs suffer earlier."""
FREE = 2**30
"""Bytes that each disk must have free: enough for a checkpoint and the logs of a day."""
FREE_SHARE = 0.05
"""Share of a disk that must be free: Ray stores no objects on a fuller disk."""
OPEN_FILES = 4096
"""Number of files that a process must be able to open: Ray keeps a connection to every worker of the cluster."""
SAME = {"groupdir": "groupdir", "python": "Python", "ray": "Ray", "torch": "torch", "numpy": "NumPy"}
SHOWN = 3  # largest number of nodes named in a message
GIB = 2**30


@dataclass(frozen=True)
class Need:
    """Requirements of a search on the nodes.

    Attributes:
        asks: Alternative resource requests of one trial; one of them must fit on a node.
        data_on_nodes: Whether workers read the data themselves. Otherwise the driver sends it to them.
        storage: Place of the checkpoints, for messages.
        may_come: Resources of one node of each kind that the autoscaler may add.
        missing: Machines of the cluster file that have not joined.
        private: Whether nodes will join later while the storage seems to be the driver's own disk.
    """

    asks: Sequence[Request]
    data_on_nodes: bool
    storage: str
    may_come: Sequence[Mapping[str, float]] = ()
    missing: Sequence[str] = ()
    private: bool = False


@dataclass(frozen=True)
class NodeReport:
    """Report on one node, by Ray and by the node itself.

    Attributes:
        node: Ray's id of the node.
        address: Network address.
        resources: All resources that Ray knows on the node.
        free: Unused part of these resources.
        said: Result of `groupdir.node.probe.probe` on the node; None if it could not run.
        message: Reason why it could not run.
        met: Result of `groupdir.node.probe.meet` on the node.
        skew: Seconds by which the clock is certainly ahead of the driver's (behind, if negative).
    """

    node: str
    address: str
    resources: Mapping[str, float]
    free: Mapping[str, float] = field(default_factory=dict)
    said: Mapping[str, Any] | None = None
    message: str = ""
    met: Mapping[str, Any] = field(default_factory=dict)
    skew: float = 0.0

    @property
    def name(self) -> str:
        """Name of the node for a person."""
        return f"{self.said['name']} ({self.address})" if self.said else self.address


@dataclass(frozen=True)
class Finding:
    """Problem of a node or of the cluster.

    Attributes:
        where: Name of the node, or "cluster".
        text: Rule that must hold, and the value found.
        todo: Advice.
        fatal: Whether the problem forbids a search.
    """

    where: str
    text: str
    todo: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{'error' if self.fatal else 'note'}: {self.where}: {self.text}: {self.todo}"


def judge(reports: Sequence[NodeReport], here: Mapping[str, Any], need: Need) -> list[Finding]:
    """Return all findings, those of single nodes first.

    Args:
        reports: A report per node.
        here: `versions`, `code` and `data` of the driver.
        need: Requirements of the search.
    """
    findings: list[Finding] = []
    if "digest" not in here["data"]:
        message = here["data"]["message"]
        findings.append(Finding("driver", f"the data cannot be read: {message}", "set it in the section `data`"))
    for report in reports:
        if report.said is None:
            todo = "see `ray status`, and install the driver's groupdir there (pip install -e . -c constraints.txt)"
            findings.append(Finding(report.name, report.message, todo))
            continue
        for check in (_cuda, _gpus, _disks, _limits):
            findings += check(report, report.said)
        findings += _differs(report, report.said, here)
        findings += _data(report, report.said, here, need)
        findings += _clock(report)
    return [*findings, *_missing(need), *_storage(reports, need), *pending(reports, need)]


def _differs(report: NodeReport, said: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield differences from the driver's program, which would change results or fail."""
    if said["code"] != here["code"]:
        text = f"groupdir must be the driver's, {_groupdir(here)}, got {_groupdir(said)} in {said['folder']}"
        yield Finding(report.name, text, "update the checkout there, and restart Ray on that node")
    for name, title in SAME.items():
        wanted, installed = here["versions"][name], said["versions"][name]
        if wanted != installed and not (name == "groupdir" and said["code"] != here["code"]):
            todo = "install the same version from constraints.txt"
            yield Finding(report.name, f"{title} must be the driver's, {wanted}, got {installed}", todo)


def _groupdir(said: Mapping[str, Any]) -> str:
    return f"{said['versions']['groupdir']} with code {said['code']}"


def _cuda(report: NodeReport, said: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a driver that is too old. A driver serves all CUDA versions up to its own major version."""
    cuda, driver = said["versions"]["cuda"], said["versions"]["driver"]
    if cuda and driver and int(cuda.split(".")[0]) > int(driver.split(".")[0]):
        text = f"the NVIDIA driver must support CUDA {cuda}, for which torch is built, got CUDA {driver}"
        yield Finding(report.name, text, f"update the driver, or install a torch for CUDA {driver.split('.')[0]}")


def _gpus(report: NodeReport, said: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield GPUs that torch cannot use, or that Ray counts wrongly."""
    cards, use, message = said["gpus"]["found"], said["gpus"]["use"], said["gpus"]["message"]
    known = report.resources.get("GPU", 0)
    if not cards and message:
        # Not fatal on a machine without a GPU whose image has the program, such as the head of a cloud.
        text, todo = f"nvidia-smi fails: {message.splitlines()[0]}", "repair the NVIDIA driver, if there is a GPU"
        yield Finding(report.name, text, todo, fatal=known > 0)
    if cards and use < len(cards):
        why = f" ({message.splitlines()[-1].strip()})" if message else ""
        text = f"torch must be able to use all {len(cards)} GPUs, got {use}{why}"
        cpu_only = said["versions"]["cuda"] is None
        yield Finding(
            report.name, text, "install a torch for CUDA" if cpu_only else "see `python -m torch.utils.collect_env`"
        )
    if len(cards) > known:
        text = f"Ray must offer all {len(cards)} GPUs of the node, got {known:g}"
        yield Finding(report.name, text, "start Ray there without --num-gpus, or with the right number", fatal=False)
    if known > len(cards):
        text = f"Ray offers {known:g} GPUs, but the node has {len(cards)}"
        yield Finding(report.name, text, "start Ray there without --num-gpus, or with the right number")


def _data(report: NodeReport, said: Mapping[str, Any], here: Mapping[str, Any], need: Need) -> Iterator[Finding]:
    """Yield data that cannot be read or differs from the driver's; fatal only if workers read it themselves."""
    data, mine = said["data"], here["data"]
    if "digest" not in data:
        text, todo = f"the data cannot be read: {data['message']}", "copy it there, or share its folder"
    elif "digest" in mine and data["digest"] != mine["digest"]:
        text = f"the data must be the driver's, {_samples(mine)}, got {_samples(data)}"
        todo = "copy the driver's data there"
    else:
        return
    if need.data_on_nodes:
        yield Finding(report.name, text, todo)
    else:
        yield Finding(report.name, text, "nothing to do: trials get the driver's data", fatal=False)


def _samples(data: Mapping[str, Any]) -> str:
    counts = " and ".join(f"{count:,} {name}" for name, count in data["samples"].items())
    return f"{counts} samples with digest {data['digest']}"


def _disks(report: NodeReport, said: Mapping[str, Any]) -> Iterator[Finding]:
    for disk in said["disks"]:
        share = disk["free"] / disk["total"] if disk["total"] else 0.0
        free = f"{disk['free'] / GIB:.2f} GiB ({share:.0%}) of {disk['path']}"
        if disk["free"] < FREE:
            text = f"the disk for {disk['use']} must have {FREE / GIB:g} GiB free, got {free}"
            yield Finding(report.name, text, "free some space, or set another folder")
        elif share < FREE_SHARE:
            text = f"the disk for {disk['use']} is almost full: {free} are free, and Ray stores nothing above 95 %"
            yield Finding(report.name, text, "free some space", fatal=False)


def _limits(report: NodeReport, said: Mapping[str, Any]) -> Iterator[Finding]:
    if 0 <= said["open_files"] < OPEN_FILES:
        text = f"a process must be able to open {OPEN_FILES} files, got {said['open_files']}"
        yield Finding(report.name, text, "run `ulimit -n 65536` before `ray start` there", fatal=False)


def _clock(report: NodeReport) -> Iterator[Finding]:
    if abs(report.skew) > CLOCK:
        side = "ahead of" if report.skew > 0 else "behind"
        text = f"the clock must agree with the driver's within {CLOCK:g} s, got {abs(report.skew):,.0f} s {side} it"
        yield Finding(report.name, text, "turn on time synchronisation there (systemd-timesyncd or chrony)")


def _missing(need: Need) -> Iterator[Finding]:
    if need.missing:
        text = f"{', '.join(need.missing)} did not join and were not checked"
        yield Finding("cluster", text, "they may still join; see `groupdir status`", fatal=False)


def _storage(reports: Sequence[NodeReport], need: Need) -> Iterator[Finding]:
    """Yield nodes that cannot write to the storage, or cannot read the files of other nodes there."""
    answered = [report for report in reports if report.said is not None]
    wrote = [report for report in answered if report.said and not report.said["storage"]]
    for report in answered:
        if report.said and report.said["storage"]:
            text = f"{need.storage} must be writable, got: {report.said['storage']}"
            yield Finding(report.name, text, "make it writable there, or set another search.storage_path")
        elif report.met.get("message"):
            text = f"{need.storage} must be readable, got: {report.met['message']}"
            yield Finding(report.name, text, "make it readable there, or set another search.storage_path")
    for report in wrote:
        unseen = [other.name for other in wrote if other.node not in report.met.get("names", [])]
        if unseen and not report.met.get("message"):
            whose = ", ".join(unseen[:SHOWN]) + (f" and {len(unseen) - SHOWN} more" if len(unseen) > SHOWN else "")
            text = f"{need.storage} must be the same folder on all nodes, but lacks the file that {whose} wrote"
            yield Finding(report.name, text, "set search.storage_path to a folder that all nodes share, or to s3://...")
    if need.private and len(wrote) < 2:
        text = (
            "search.storage_path must be a place where workers that join later can write, got a folder on the disk of "
            f"the driver's node, {need.storage}"
        )
        todo = "set it to s3://... or to a folder that all nodes mount; if it is such a folder, give --skip-doctor"
        yield Finding("cluster", text, todo)


def pending(reports: Sequence[NodeReport], need: Need) -> Iterator[Finding]:
    """Yield the reason why a trial would wait, for ever or for other trials. Only Ray's part of a report is used."""
    asked = " or ".join(map(str, need.asks))
    more = any(_fits(kind, need) for kind in need.may_come)
    if any(_fits(report.free, need) for report in reports):
        return
    if any(_fits(report.resources, need) for report in reports):
        most = ", ".join(f"{report.name}: {in_words(report.free)}" for report in reports)
        text = f"a trial requests {asked}, which no node has free ({most}), and is PENDING until other trials end"
        text += " or the autoscaler has added one" * more
        yield Finding("cluster", text, "wait, or see `ray status` for the users of these resources", fatal=False)
    elif more:
        text = f"a trial requests {asked}, which no node has yet, and is PENDING until the autoscaler has added one"
        yield Finding("cluster", text, "wait, or see `ray status`", fatal=False)
    else:
        most = ", ".join(f"{report.name}: {in_words(report.resources)}" for report in reports)
        text = f"a trial requests {asked}, which no node has ({most}), and would be PENDING for ever"
        yield Finding("cluster", text, "lower search.resources, add nodes, or start Ray with more")


def _fits(resources: Mapping[str, float], need: Need) -> bool:
    return any(ask.fits(resources) for ask in need.asks)
