"""A site of one's own machines, as docs/cluster.md supposes one: hosts with Python, and a laptop with the checkout.

The hosts have no internet. So each has `~/.groupdir/venv` already, which sees the packages of the environment that the
tests run in, and a pip that asks no index: what `ray up` installs on them is groupdir itself, from the copy of the
checkout.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from groupdir.study.state import StudyState, replay
from groupdir.study.store import Store
from tests.cluster.hosts import CHECKOUT, Hosts, home

LAPTOP, HEAD, WORKERS = "laptop", "head", ("w1", "w2")
CLUSTER = "launch/cluster/on_premise.yaml"
PARTS = ("groupdir", "launch", "analysis", "search_spaces", "pyproject.toml", "constraints.txt", "README.md", "LICENSE")
PROGRAMS = {"ray": "from ray.scripts.scripts import main", "pip": "from pip._internal.cli.main import main"}
# Of the head: a machine that is gone is missed within 15 seconds instead of 30, and called back 10 later instead of 30.
IMPATIENT = {
    "RAY_health_check_period_ms": 1000,
    "RAY_health_check_timeout_ms": 3000,
    "RAY_health_check_failure_threshold": 4,
    "AUTOSCALER_HEARTBEAT_TIMEOUT_S": 10,
}
# "false" is how pip is told that there is no build isolation.
PIP = "[global]\nno-index = true\n[install]\nno-build-isolation = false\n"


def furnish(hosts: Hosts) -> None:
    """Gives every host its Python, and the laptop the checkout with the cluster's file edited for this site."""
    image = hosts.root / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(image)], check=True)
    packages = next(image.glob("lib/python*/site-packages"))
    (packages / "machine.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    for name, line in PROGRAMS.items():
        (image / "bin" / name).write_text(
            f"#!{home()}/.groupdir/venv/bin/python\nimport sys\n{line}\nsys.exit(main())\n"
        )
        (image / "bin" / name).chmod(0o755)
    for name in hosts.address:
        shutil.copytree(image, hosts.home(name, ".groupdir/venv"), symlinks=True)
        (hosts.home(name) / ".config/pip").mkdir(parents=True)
        (hosts.home(name) / ".config/pip/pip.conf").write_text(PIP)
    hosts.home(HEAD, ".bashrc").write_text("".join(f"export {name}={value}\n" for name, value in IMPATIENT.items()))
    hosts.home(LAPTOP, ".bashrc").write_text('export PATH="$HOME/.groupdir/venv/bin:$PATH"\n')
    there = hosts.home(LAPTOP, "groupdir")
    there.mkdir()
    # What `pip install -e` of the checkout gives the laptop; the other hosts run pip themselves.
    command = hosts.home(LAPTOP, ".groupdir/venv/bin/groupdir")
    lines = (f"#!{home()}/.groupdir/venv/bin/python", "import sys", f"sys.path.insert(0, {str(home() / 'groupdir')!r})")
    command.write_text("\n".join((*lines, "from groupdir.cli import main", "sys.exit(main())\n")))
    command.chmod(0o755)
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


def handbook(begins: str, study: str) -> list[str]:
    """A command of docs/cluster.md, section "Machines of your own", with another study than the digits in it.

    Args:
        begins: How the line begins, such as `groupdir up`.
        study: Name of the study, and of its file in search_spaces/.
    """
    text = (CHECKOUT / "docs/cluster.md").read_text(encoding="utf-8")
    section = text.partition("\n## Machines of your own\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```bash\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    found = [line for block in blocks for line in block.splitlines() if line.startswith(begins)]
    assert found, f"docs/cluster.md has no line that begins with `{begins}`"
    assert len(set(found)) == 1, found
    return shlex.split(re.sub(r"\bdigits\b", study, found[0]))


def type_in(
    hosts: Hosts, begins: str, study: str = "digits", timeout: float = 300, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Types a command of the handbook on the laptop, in the checkout."""
    return hosts.run(LAPTOP, handbook(begins, study), cwd=home() / "groupdir", timeout=timeout, check=check)


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
