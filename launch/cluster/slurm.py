"""Slurm script for one search: `launch/cluster/slurm.sbatch` with its values filled in."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from groupdir.config.space import StudyConfig, load_space
from groupdir.errors import ConfigError, Mistake
from groupdir.files.study_files import results_folder
from groupdir.names import plain_name, unprintable

TEMPLATE = Path(__file__).with_name("slurm.sbatch")
_TIME = re.compile(r"^(\d+(:\d\d(:\d\d)?)?|\d+-\d+(:\d\d(:\d\d)?)?)$")


@dataclass(frozen=True)
class Job:
    """Resources that a search requests from Slurm.

    Attributes:
        nodes: Number of nodes.
        gpus_per_node: GPUs of each node; 0 requests none.
        cpus_per_node: CPUs of each node.
        time: Time limit in Slurm's form, such as 12:00:00 or 2-00:00:00.
        partition: Queue of the job; None: the cluster's default.
    """

    nodes: int
    gpus_per_node: int
    cpus_per_node: int
    time: str
    partition: str | None = None


def slurm_script(file: str | Path, job: Job, out: str | Path | None = None) -> str:
    """Return a script for `sbatch` that runs a search with this checkout and this Python.

    Args:
        file: Search space, which is checked here.
        job: Resources to request.
        out: Folder of the study; by default `results/<name of the study>`.

    Raises:
        ConfigError: If the space, the time limit or the partition is wrong, or a trial requests more than a node has.
    """
    config = load_space(file)
    _check(config, job)
    study = results_folder(config.name, out)
    text = _directives(TEMPLATE.read_text(encoding="utf-8"), job, config.name)
    values = {
        "space": Path(file).absolute(),
        "study": study.absolute(),
        "checkout": TEMPLATE.parent.parent.parent,
        "environment": Path(sys.executable).parent,
    }
    for name, value in values.items():
        line = f"{name}={shlex.quote(_one_line(value))}"
        text = re.sub(rf"^{name}=.*$", lambda _, line=line: line, text, flags=re.MULTILINE)  # type: ignore[misc]
    return text


def _one_line(path: Path) -> str:
    """Return a path as text.

    Raises:
        ConfigError: If the path has a line break or another unprintable character.
    """
    if why := unprintable(str(path)):
        raise ConfigError(f"{str(path)!r}: must be a path that a line of a script can hold, but {why}: rename it")
    return str(path)


def _directives(text: str, job: Job, name: str) -> str:
    """Return the template `text` with the `#SBATCH` lines of a job for the study `name`."""
    values = {
        "job-name": f"groupdir-{plain_name(name)}",
        "nodes": job.nodes,
        "gpus-per-node": job.gpus_per_node or None,
        "cpus-per-task": job.cpus_per_node,
        "time": job.time,
    }
    for option, value in values.items():
        line = re.compile(rf"^#SBATCH --{option}=.*\n", re.MULTILINE)
        text = line.sub("" if value is None else f"#SBATCH --{option}={value}\n", text)
    if job.partition is not None:
        text = re.sub(r"^(#SBATCH --time=.*\n)", rf"\1#SBATCH --partition={job.partition}\n", text, flags=re.MULTILINE)
    return text


def _check(config: StudyConfig, job: Job) -> None:
    """Refuse a job that Slurm would reject, or whose nodes are too small for any trial."""
    mistakes = []
    if not _TIME.match(job.time):
        text = f"--time: must be a time limit of Slurm such as 90 (minutes), 12:00:00 or 2-00:00:00, got {job.time}"
        mistakes.append(Mistake("", text))
    if job.partition is not None and not re.fullmatch(r"[\w.,-]+", job.partition):
        mistakes.append(Mistake("", f"--partition: must be the name of a partition, got {job.partition!r}"))
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
