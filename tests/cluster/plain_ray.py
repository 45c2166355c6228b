"""Ray on hosts by `ray start`, with a checkout of its own on each host; no launcher, nothing to install."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.hosts import CHECKOUT, Hosts, home

PROGRAMS = Path(sys.executable).parent
PORT = 6379
PARTS = ("groupdir", "launch", "analysis", "search_spaces")


def give_checkouts(hosts: Hosts) -> None:
    """Copies what a search needs into `~/groupdir` of every host."""
    for name in hosts.address:
        there = hosts.home(name, "groupdir")
        there.mkdir()
        for part in PARTS:
            shutil.copytree(CHECKOUT / part, there / part, ignore=shutil.ignore_patterns("__pycache__"))


def start_ray(
    hosts: Hosts,
    name: str,
    head: str,
    *,
    env: Mapping[str, str] | None = None,
    folder: str = "/tmp/ray",
    cpus: int = 1,
) -> None:
    """Starts Ray on a host, with one CPU unless told otherwise; on one of them as the head."""
    leads = ["--head", f"--port={PORT}", "--include-dashboard=false"]
    joins = [f"--address={hosts.address[head]}:{PORT}"]
    words = [
        str(PROGRAMS / "ray"), "start", *(leads if name == head else joins), f"--num-cpus={cpus}",
        f"--node-ip-address={hosts.address[name]}", "--object-store-memory=80000000", "--disable-usage-stats",
        f"--temp-dir={folder}",
    ]  # fmt: skip
    hosts.run(name, words, cwd=home() / "groupdir", env=own(env))


def stop_ray(hosts: Hosts, name: str) -> None:
    """Stops Ray on one host alone, which tells the head: of one that is killed, the head learns later."""
    hosts.run(name, [str(PROGRAMS / "ray"), "stop"], env=own(None))


def launch(
    hosts: Hosts, name: str, words: Sequence[str], env: Mapping[str, str] | None = None, timeout: float = 200
) -> subprocess.CompletedProcess[str]:
    """`python -m launch ...` in the checkout of a host, on the cluster that the host is of."""
    python = [str(PROGRAMS / "python"), "-m", "launch", *words]
    env = own({"RAY_ADDRESS": f"{hosts.address[name]}:{PORT}", **(env or {})})
    return hosts.run(name, python, cwd=home() / "groupdir", env=env, check=False, timeout=timeout)


def own(env: Mapping[str, str] | None) -> dict[str, str]:
    """What a host's processes get: its own checkout, and one thread each."""
    return {"PYTHONPATH": str(home() / "groupdir"), "OMP_NUM_THREADS": "1", **(env or {})}
