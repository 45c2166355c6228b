"""A Slurm script for one search: `launch/cluster/slurm.sbatch` with its values filled in."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from groupdir.config.space import StudyConfig, load_space
from groupdir.errors import ConfigError, Mistake
from groupdir.files.study_files import results_folder

TEMPLATE = Path(__file__).with_name("slurm.sbatch")
_TIME = re.compile(r"^(\d+(:\d\d(:\d\d)?)?|\d+-\d+(:\d\d(:\d\d)?)?)$")


@dataclass(frozen=True)
class Job:
    """What the job asks Slurm for.

    Attributes:
        nodes: How many.
        gpus_per_node: Of each; 0: none is asked for.
        cpus_per_node: Of each.
        time: As Slurm reads it, such as 12:00:00 or 2-00:00:00.
        partition: Its queue; None: the cluster's default.
    """

    nodes: int
    gpus_per_node: int
    cpus_per_node: int
    time: str
    partition: str | None = None


def slurm_script(file: str | Path, job: Job, out: str | Path | None = None) -> str:
    """The text of a script that `sbatch` takes, for this checkout and this Python.

    Args:
        file: A search space; it is read and checked here.
        job: What to ask for.
        out: The study's folder; by default `results/<name of the study>`.

    Raises:
        ConfigError: The space is wrong, the time is no time, or no node of the job could take one of its trials.
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
        text = re.sub(
            rf"^{name}=.*$", f"{name}={shlex.quote(str(value))}".replace("\\", r"\\"), text, flags=re.MULTILINE
        )
    return text


def _directives(text: str, job: Job, name: str) -> str:
    """The template with the job's own lines for Slurm."""
    values = {
        "job-name": f"groupdir-{name}",
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
    """Refuses what Slurm would refuse, or what would wait for ever."""
    mistakes = []
    if not _TIME.match(job.time):
        text = f"--time: must be a time of Slurm such as 90, 12:00:00 or 2-00:00:00, got {job.time}"
        mistakes.append(Mistake("", text))
    if job.partition is not None and not re.fullmatch(r"[\w.,-]+", job.partition):
        mistakes.append(Mistake("", f"--partition: must be a name, got {job.partition!r}"))
    asked = config.search.resources
    gpus = asked.gpu.values() if isinstance(asked.gpu, dict) else [0.0 if asked.gpu == "auto" else asked.gpu]
    for address, want, there, option in (
        ("search.resources.cpu", asked.cpu, job.cpus_per_node, "--cpus-per-node"),
        ("search.resources.gpu", min(gpus), job.gpus_per_node, "--gpus-per-node"),
    ):
        if want > there:
            text = f"must not be above what a node of the job has, {there}, got {want:g}: raise {option}, or lower it"
            mistakes.append(config.mistake(address, text))
    if mistakes:
        raise ConfigError(mistakes)
