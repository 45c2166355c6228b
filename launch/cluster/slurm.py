"""Slurm script for one search: `launch/cluster/slurm.sbatch` with its values filled in."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from groupdir.config.space import StudyConfig, load_space
from groupdir.errors import ConfigError, Mistake
from groupdir.files.study_files import results_folder
from groupdir.names import plain_name, unprintable

TEMPLATE = Path(__file__).with_name("slurm.sbatch")
_TIME = re.compile(r"^(\d+(:\d\d(:\d\d)?)?|\d+-\d+(:\d\d(:\d\d)?)?)$")

_OPTIONS = {
    "partition": (r"[\w.,-]+", "the name of a partition"),
    "account": (r"[\w.@+-]+", "the name of an account"),
    "qos": (r"[\w.,+-]+", "the name of a quality of service"),
    "mem": (r"\d+[KMGT]?", "an amount of memory such as 64G"),
    "constraint": (r"[\w.,:&|*()\[\]+-]+", "features of nodes such as a100&ib"),
}
"""Options of sbatch without which a job gets the cluster's default: name -> pattern, and meaning."""


@dataclass(frozen=True)
class Job:
    """Resources that a search requests from Slurm.

    Attributes:
        nodes: Number of nodes.
        gpus_per_node: GPUs of each node; 0 requests none.
        cpus_per_node: CPUs of each node.
        time: Time limit in Slurm's form, such as 12:00:00 or 2-00:00:00.
        partition: Queue of the job; None: the cluster's default.
        account: Account that pays for the job; None: the user's default.
        qos: Quality of service; None: the default.
        mem: Memory of each node, such as 64G; None: the default.
        constraint: Features that the nodes must have, such as a100&ib; None: any.
    """

    nodes: int
    gpus_per_node: int
    cpus_per_node: int
    time: str
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    mem: str | None = None
    constraint: str | None = None


@dataclass(frozen=True)
class Site:
    """Software and network of the nodes.

    Attributes:
        modules: Modules to load before the search.
        container: Image for apptainer in which the search runs, or None.
        interface: Network interface by which the nodes reach each other, or None for the address of the nodes' names.
    """

    modules: Sequence[str] = ()
    container: str | None = None
    interface: str | None = None


NO_SITE = Site()


def slurm_script(file: str | Path, job: Job, out: str | Path | None = None, site: Site = NO_SITE) -> str:
    """Return a script for `sbatch` that runs a search with this checkout and this Python.

    Args:
        file: Search space, which is checked here.
        job: Resources to request.
        out: Folder of the study; by default `results/<name of the study>`.
        site: Software and network of the nodes.

    Raises:
        ConfigError: If the space or an option for Slurm is wrong, or a trial requests more than a node has.
    """
    config = load_space(file)
    _check(config, job, site)
    study = results_folder(config.name, out)
    text = _directives(TEMPLATE.read_text(encoding="utf-8"), job, config.name)
    values: dict[str, Path | str] = {
        "space": Path(file).absolute(),
        "study": study.absolute(),
        "checkout": TEMPLATE.parent.parent.parent,
        "environment": Path(sys.executable).parent,
        "container": site.container or "",
        "interface": site.interface or "",
    }
    lines = {name: shlex.quote(_one_line(value)) for name, value in values.items()}
    lines["modules"] = f"({shlex.join(site.modules)})"
    lines["container_options"] = "(--nv)" if job.gpus_per_node else "()"
    for name, value in lines.items():
        text = _with_line(text, f"{name}=", value)
    return text


def _one_line(path: Path | str) -> str:
    """Return a path as text.

    Raises:
        ConfigError: If the path has a line break or another unprintable character.
    """
    if why := unprintable(str(path)):
        raise ConfigError(f"{str(path)!r}: must be a path that a line of a script can hold, but {why}: rename it")
    return str(path)


def _with_line(text: str, begins: str, value: str) -> str:
    """Return the text with a value in the line that begins so."""
    return re.sub(rf"^{begins}.*$", lambda _: f"{begins}{value}", text, flags=re.MULTILINE)


def _directives(text: str, job: Job, name: str) -> str:
    """Return the template `text` with the `#SBATCH` lines of a job for the study `name`."""
    values = {
        "job-name": f"groupdir-{plain_name(name)}",
        "nodes": job.nodes,
        "cpus-per-task": job.cpus_per_node,
        "time": job.time,
    }
    for option, value in values.items():
        text = _with_line(text, f"#SBATCH --{option}=", str(value))
    more = {"gpus-per-node": job.gpus_per_node or None, **{option: getattr(job, option) for option in _OPTIONS}}
    lines = "".join(f"#SBATCH --{option}={value}\n" for option, value in more.items() if value is not None)
    return re.sub(r"^#SBATCH --time=.*\n", lambda found: found[0] + lines, text, flags=re.MULTILINE)


def _check(config: StudyConfig, job: Job, site: Site) -> None:
    """Refuse a job that Slurm would reject, or whose nodes are too small for any trial."""
    mistakes = []
    if not _TIME.match(job.time):
        text = f"--time: must be a time limit of Slurm such as 90 (minutes), 12:00:00 or 2-00:00:00, got {job.time}"
        mistakes.append(Mistake("", text))
    for option, (pattern, meaning) in _OPTIONS.items():
        value = getattr(job, option)
        if value is not None and not re.fullmatch(pattern, value):
            mistakes.append(Mistake("", f"--{option}: must be {meaning}, got {value!r}"))
    if site.interface is not None and not re.fullmatch(r"[\w.:-]+", site.interface):
        mistakes.append(Mistake("", f"--interface: must be the name of a network interface, got {site.interface!r}"))
    for option, texts in (("--module", site.modules), ("--container", [site.container or ""])):
        mistakes += [
            Mistake("", f"{option}: must be one line of text, got {text!r}") for text in texts if unprintable(text)
        ]
    request = config.search.resources
    gpus = request.gpu.values() if isinstance(request.gpu, dict) else [0.0 if request.gpu == "auto" else request.gpu]
    for address, requested, available, option in (
        ("search.resources.cpu", request.cpu, job.cpus_per_node, "--cpus-per-node"),
        ("search.resources.gpu", min(gpus), job.gpus_per_node, "--gpus-per-node"),
    ):
        if requested > available:
            advice = f"raise {option}, or lower {address}"
            text = f"a trial requests {requested:g}, but a node of the job has {available}: {advice}"
            mistakes.append(config.mistake(address, text))
    if mistakes:
        raise ConfigError(mistakes)
