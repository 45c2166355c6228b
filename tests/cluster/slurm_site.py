"""Slurm on hosts: Debian's daemons with a controller on the first host, and every host a node of two cores."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tests.cluster.hosts import Hosts, home

TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel", "sinfo")
CONFIG = """ClusterName=hosts
SlurmctldHost={head}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
StateSaveLocation={own}/state
SlurmdSpoolDir={own}/spool
SlurmctldLogFile={own}/slurmctld.log
SlurmdLogFile={own}/slurmd.log
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
KillWait=30
NodeName={nodes} CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP
"""


def missing_slurm() -> str | None:
    """Why there is no Slurm here, or None."""
    lacking = [tool for tool in TOOLS if shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
    return f"Slurm needs {', '.join(lacking)} (Debian: slurm-wlm munge)" if lacking else None


def start_slurm(hosts: Hosts) -> None:
    """Starts munge and slurmd on every host, and slurmctld on the first; `/etc/slurm` is each host's own."""
    names = list(hosts.address)
    config = CONFIG.format(own=home() / "slurm", head=names[0], nodes=",".join(names))
    key = os.urandom(1024)
    for name in names:
        own = hosts.home(name, "slurm")
        (own / "state").mkdir(parents=True)
        (own / "slurm.conf").write_text(config)
        (own / "munge.key").write_bytes(key)
        (own / "munge.key").chmod(0o400)
        hosts.run(name, ["bash", "-c", START.format(own=home() / "slurm")])
    hosts.run(names[0], ["slurmctld"])
    for name in names:
        hosts.run(name, ["slurmd"])


START = """set -e
mount -t tmpfs tmpfs /etc/slurm
cp {own}/slurm.conf /etc/slurm/
mkdir -p -m 755 /run/munge
munged --key-file {own}/munge.key --log-file {own}/munged.log --seed-file {own}/munge.seed --pid-file /run/munge/pid
"""


def idle(hosts: Hosts) -> int:
    """How many nodes take jobs."""
    first = next(iter(hosts.address))
    return hosts.run(first, ["sinfo", "-h", "-N", "-o", "%T"], check=False).stdout.split().count("idle")


def submit(hosts: Hosts, script: str, cwd: Path) -> int:
    """Gives a script to Slurm on the first host; its number."""
    first = next(iter(hosts.address))
    said = hosts.run(first, ["sbatch", script], cwd=cwd).stdout
    return int(said.split()[-1])


def job_state(hosts: Hosts, job: int) -> str:
    """What Slurm says of a job, such as RUNNING."""
    first = next(iter(hosts.address))
    said = hosts.run(first, ["scontrol", "show", "job", str(job)]).stdout
    found = re.search(r"JobState=(\w+)", said)
    assert found, said
    return found[1]


def logs(hosts: Hosts) -> list[Path]:
    """What the daemons say."""
    return [path for name in hosts.address for path in sorted(hosts.home(name, "slurm").glob("*.log"))]
