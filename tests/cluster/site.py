"""A site of one's own machines, as docs/cluster.md supposes one: hosts with Python, and a laptop with the checkout.

The hosts have no internet. So each has `~/venv` already, which sees the packages of the environment that the tests run
in, and a pip that asks no index: what `ray up` installs on them is groupdir itself, from the copy of the checkout.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from launch.state import StudyState, replay
from launch.store import Store
from tests.cluster.hosts import CHECKOUT, Hosts, home

LAPTOP, HEAD, WORKERS = "laptop", "head", ("w1", "w2")
CLUSTER = "launch/cluster/on_premise.yaml"
STORAGE = "/mnt/shared/groupdir"
PARTS = ("groupdir", "launch", "analysis", "search_spaces", "pyproject.toml", "constraints.txt", "README.md", "LICENSE")
PROGRAMS = {"ray": "from ray.scripts.scripts import main", "pip": "from pip._internal.cli.main import main"}
# "false" is how pip is told that there is no build isolation.
PIP = "[global]\nno-index = true\n[install]\nno-build-isolation = false\n"


def furnish(hosts: Hosts) -> None:
    """Gives every host its Python, and the laptop the checkout with the cluster's file edited for this site."""
    image = hosts.root / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(image)], check=True)
    packages = next(image.glob("lib/python*/site-packages"))
    (packages / "machine.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    for name, line in PROGRAMS.items():
        (image / "bin" / name).write_text(f"#!{home()}/venv/bin/python\nimport sys\n{line}\nsys.exit(main())\n")
        (image / "bin" / name).chmod(0o755)
    for name in hosts.address:
        shutil.copytree(image, hosts.home(name, "venv"), symlinks=True)
        (hosts.home(name) / ".config/pip").mkdir(parents=True)
        (hosts.home(name) / ".config/pip/pip.conf").write_text(PIP)
    hosts.home(HEAD, ".bashrc").write_text("export AUTOSCALER_HEARTBEAT_TIMEOUT_S=10\n")  # not 30, so as to wait less
    hosts.home(LAPTOP, ".bashrc").write_text('export PATH="$HOME/venv/bin:$PATH"\n')
    there = hosts.home(LAPTOP, "groupdir")
    there.mkdir()
    copy = ["rsync", "-a", "--exclude=__pycache__", *(str(CHECKOUT / part) for part in PARTS), f"{there}/"]
    subprocess.run(copy, check=True)
    path = there / CLUSTER
    path.write_text(edited(path.read_text(), hosts))


def edited(text: str, hosts: Hosts) -> str:
    """The cluster's file with the lines marked EDIT as a person would edit them, and nothing else."""
    workers = ", ".join(hosts.address[name] for name in WORKERS)
    for field, value in (("head_ip", hosts.address[HEAD]), ("worker_ips", f"[{workers}]"), ("ssh_user", "root")):
        text, count = re.subn(rf"^  {field}: .*$", f"  {field}: {value}", text, flags=re.MULTILINE)
        assert count == 1, f"{CLUSTER} has {count} lines for {field}"
    return text


def command(*words: str) -> list[str]:
    """A line of the handbook, as typed in the checkout."""
    return ["python", "-m", "launch", *words]


def launch(hosts: Hosts, *words: str, timeout: float = 200, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Types `python -m launch ...` on the laptop, in the checkout."""
    return hosts.run(LAPTOP, command(*words), cwd=home() / "groupdir", timeout=timeout, check=check)


def study_on_head(hosts: Hosts, name: str) -> Path:
    """The folder of a study on the head, as seen from this machine."""
    return hosts.home(HEAD, "groupdir/results", name)


def state_of(folder: Path) -> StudyState:
    """Where a study stands; an empty state where there is none yet."""
    if not (folder / "study.sqlite").is_file():
        return StudyState()
    store = Store.open(folder / "study.sqlite", readonly=True)
    state = replay(store.events())
    store.close()
    return state


def training(hosts: Hosts, name: str) -> list[str]:
    """The processes of a host that hold a trial."""
    return [line for line in hosts.processes(name) if line.startswith("ray::") and "Trainable" in line]


def wait_for(what: str, holds: Callable[[], object], seconds: float, watched: Sequence[Path] = ()) -> float:
    """Waits until something holds.

    Returns:
        How many seconds it took.

    Raises:
        AssertionError: It did not in time; with the ends of the files that say why.
    """
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > seconds:
            ends = "\n".join(f"--- {path}:\n{path.read_text()[-4000:]}" for path in watched if path.is_file())
            raise AssertionError(f"{what}: not within {seconds:.0f} s\n{ends}")
        time.sleep(0.3)
    took = time.monotonic() - begun
    print(f"{what}: after {took:.1f} s", flush=True)
    return took
