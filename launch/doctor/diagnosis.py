"""What is wrong with a cluster, told from what its nodes say of themselves: no Ray here, no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from launch.on_ray.slots import Request, in_words

CLOCK = 5.0
"""Seconds that two clocks may differ. Signed requests to S3 are refused above 15 minutes; logs are useless before."""
FREE = 2**30
"""Bytes that each disk must have: a checkpoint and the logs of a day."""
FREE_SHARE = 0.05
"""Ray puts no objects on a disk that is fuller than that."""
OPEN_FILES = 4096
"""Files that a process must be able to open: Ray keeps a connection to every worker of the cluster."""
SAME = {"groupdir": "groupdir", "python": "Python", "ray": "Ray", "torch": "torch", "numpy": "NumPy"}
SHOWN = 3  # nodes that a message names
GIB = 2**30


@dataclass(frozen=True)
class Need:
    """What a search asks of nodes.

    Attributes:
        asks: What one trial takes; it needs a place for one of them.
        data_on_nodes: Whether workers read the data themselves: the driver sends small data sets to them.
        storage: Where checkpoints go, for messages.
        may_come: What one node has of each kind that the autoscaler may add.
        missing: The cluster's own machines that are not there.
        private: Whether nodes will come that no one can ask yet, and the storage seems to be the driver's own disk.
    """

    asks: Sequence[Request]
    data_on_nodes: bool
    storage: str
    may_come: Sequence[Mapping[str, float]] = ()
    missing: Sequence[str] = ()
    private: bool = False


@dataclass(frozen=True)
class NodeReport:
    """One node, by what Ray and what it itself says.

    Attributes:
        node: Ray's name of it.
        address: Its network address.
        resources: What Ray has of it in all.
        free: What of that no one uses.
        said: What `groupdir.node.probe.probe` gave there; None where it could not run.
        message: Why not.
        met: What `groupdir.node.probe.meet` gave there.
        skew: Seconds that its clock is surely ahead of the driver's (or behind, if negative).
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
        """As a person knows it."""
        return f"{self.said['name']} ({self.address})" if self.said else self.address


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be.

    Attributes:
        where: The node, or "cluster".
        text: What must hold, and what came.
        todo: What to do.
        fatal: Whether a search must not start.
    """

    where: str
    text: str
    todo: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{'error' if self.fatal else 'note'}: {self.where}: {self.text}: {self.todo}"


def judge(reports: Sequence[NodeReport], here: Mapping[str, Any], need: Need) -> list[Finding]:
    """All findings, those of each node first.

    Args:
        reports: One of each node.
        here: `versions`, `code` and `data` of the driver itself.
        need: What the search asks for.
    """
    found: list[Finding] = []
    if "digest" not in here["data"]:
        found.append(Finding("driver", f"the data cannot be read: {here['data']['message']}", "name it in data"))
    for report in reports:
        if report.said is None:
            todo = "see `ray status`, and install the driver's groupdir there (pip install -e . -c constraints.txt)"
            found.append(Finding(report.name, report.message, todo))
            continue
        for check in (_cuda, _gpus, _disks, _limits):
            found += check(report, report.said)
        found += _differs(report, report.said, here)
        found += _data(report, report.said, here, need)
        found += _clock(report)
    return [*found, *_missing(need), *_storage(reports, need), *pending(reports, need)]


def _differs(report: NodeReport, said: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Finding]:
    """Another program than the driver's would give other numbers, or none."""
    if said["code"] != here["code"]:
        text = f"groupdir must be the driver's, {_groupdir(here)}, got {_groupdir(said)} in {said['folder']}"
        yield Finding(report.name, text, "bring the checkout there up to date, and start Ray again on that node")
    for name, title in SAME.items():
        want, came = here["versions"][name], said["versions"][name]
        if want != came and not (name == "groupdir" and said["code"] != here["code"]):
            todo = "install the same from constraints.txt"
            yield Finding(report.name, f"{title} must be the driver's, {want}, got {came}", todo)


def _groupdir(said: Mapping[str, Any]) -> str:
    return f"{said['versions']['groupdir']} with code {said['code']}"


def _cuda(report: NodeReport, said: Mapping[str, Any]) -> Iterator[Finding]:
    """A driver serves all CUDA versions up to its own, and later ones of the same main number."""
    cuda, driver = said["versions"]["cuda"], said["versions"]["driver"]
    if cuda and driver and int(cuda.split(".")[0]) > int(driver.split(".")[0]):
        text = f"the NVIDIA driver must serve CUDA {cuda}, for which torch is built, got CUDA {driver}"
        yield Finding(report.name, text, f"update the driver, or install a torch for CUDA {driver.split('.')[0]}")


def _gpus(report: NodeReport, said: Mapping[str, Any]) -> Iterator[Finding]:
    """What the driver sees, torch can use, and Ray gives out."""
    found, use, message = said["gpus"]["found"], said["gpus"]["use"], said["gpus"]["message"]
    known = report.resources.get("GPU", 0)
    if not found and message:
        # An image with the program on a machine without a GPU, such as a cloud's head, is none of a search's business.
        text, todo = f"nvidia-smi fails: {message.splitlines()[0]}", "mend the NVIDIA driver, if there is a GPU"
        yield Finding(report.name, text, todo, fatal=known > 0)
    if found and use < len(found):
        why = f" ({message.splitlines()[-1].strip()})" if message else ""
        text = f"torch must be able to use the {len(found)} GPUs, got {use}{why}"
        cpu_only = said["versions"]["cuda"] is None
        yield Finding(
            report.name, text, "install a torch for CUDA" if cpu_only else "see `python -m torch.utils.collect_env`"
        )
    if len(found) > known:
        text = f"Ray must give out the {len(found)} GPUs that are there, got {known:g}"
        yield Finding(report.name, text, "start Ray there without --num-gpus, or with the right number", fatal=False)
    if known > len(found):
        text = f"Ray gives out {known:g} GPUs, and {len(found)} are there"
        yield Finding(report.name, text, "start Ray there without --num-gpus, or with the right number")


def _data(report: NodeReport, said: Mapping[str, Any], here: Mapping[str, Any], need: Need) -> Iterator[Finding]:
    """The data must be the driver's wherever it is read."""
    data, mine = said["data"], here["data"]
    if "digest" not in data:
        text, todo = f"the data cannot be read: {data['message']}", "copy it there, or share its folder"
    elif "digest" in mine and data["digest"] != mine["digest"]:
        text = f"the data must be the driver's, {_samples(mine)}, got {_samples(data)}"
        todo = "copy the driver's there"
    else:
        return
    if need.data_on_nodes:
        yield Finding(report.name, text, todo)
    else:
        yield Finding(report.name, text, "nothing: trials are sent the driver's", fatal=False)


def _samples(data: Mapping[str, Any]) -> str:
    counts = " and ".join(f"{count:,} {name}" for name, count in data["samples"].items())
    return f"{counts} samples with digest {data['digest']}"


def _disks(report: NodeReport, said: Mapping[str, Any]) -> Iterator[Finding]:
    for disk in said["disks"]:
        share = disk["free"] / disk["total"] if disk["total"] else 0.0
        free = f"{disk['free'] / GIB:.2f} GiB ({share:.0%}) of {disk['path']}"
        if disk["free"] < FREE:
            text = f"the disk for {disk['use']} must have {FREE / GIB:g} GiB free, got {free}"
            yield Finding(report.name, text, "make room, or set another folder")
        elif share < FREE_SHARE:
            text = f"the disk for {disk['use']} is almost full, {free} are free, and Ray uses none above 95 %"
            yield Finding(report.name, text, "make room", fatal=False)


def _limits(report: NodeReport, said: Mapping[str, Any]) -> Iterator[Finding]:
    if 0 <= said["open_files"] < OPEN_FILES:
        text = f"a process must be able to open {OPEN_FILES} files, got {said['open_files']}"
        yield Finding(report.name, text, "run `ulimit -n 65536` before `ray start` there", fatal=False)


def _clock(report: NodeReport) -> Iterator[Finding]:
    if abs(report.skew) > CLOCK:
        side = "ahead of" if report.skew > 0 else "behind"
        text = f"its clock must be the driver's within {CLOCK:g} s, got {abs(report.skew):,.0f} s {side} it"
        yield Finding(report.name, text, "turn on time synchronisation there (systemd-timesyncd or chrony)")


def _missing(need: Need) -> Iterator[Finding]:
    if need.missing:
        text = f"{', '.join(need.missing)} of its machines did not come, so that they are not examined"
        yield Finding("cluster", text, "nothing, or see `groupdir status`: they may join later", fatal=False)


def _storage(reports: Sequence[NodeReport], need: Need) -> Iterator[Finding]:
    """Each node must be able to write, and to read what each other wrote."""
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
            text = f"{need.storage} must be the same folder on all nodes, but what {whose} wrote is not there"
            yield Finding(report.name, text, "set search.storage_path to a folder that all nodes share, or to s3://...")
    if need.private and len(wrote) < 2:
        text = (
            "search.storage_path must be where workers that are still to come can write, got a folder on the disk of "
            f"the driver's node, {need.storage}"
        )
        todo = "set it to s3://... or to a folder that all nodes mount, or give --skip-doctor if it is one"
        yield Finding("cluster", text, todo)


def pending(reports: Sequence[NodeReport], need: Need) -> Iterator[Finding]:
    """Why a trial would wait: for ever, or until others end; of the reports, what Ray says is enough."""
    asked = " or ".join(map(str, need.asks))
    more = any(_fits(kind, need) for kind in need.may_come)
    if any(_fits(report.free, need) for report in reports):
        return
    if any(_fits(report.resources, need) for report in reports):
        most = ", ".join(f"{report.name}: {in_words(report.free)}" for report in reports)
        text = f"a trial asks for {asked}, which no node has free ({most}), and is PENDING until others end"
        text += " or the autoscaler has added one" * more
        yield Finding("cluster", text, "wait, or see `ray status` for who has them", fatal=False)
    elif more:
        text = f"a trial asks for {asked}, which no node has yet, and is PENDING until the autoscaler has added one"
        yield Finding("cluster", text, "wait, or see `ray status`", fatal=False)
    else:
        most = ", ".join(f"{report.name}: {in_words(report.resources)}" for report in reports)
        text = f"a trial asks for {asked}, which no node has ({most}), and would be PENDING for ever"
        yield Finding("cluster", text, "lower search.resources, add nodes, or start Ray with more")


def _fits(there: Mapping[str, float], need: Need) -> bool:
    return any(ask.fits(there) for ask in need.asks)
