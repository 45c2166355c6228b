"""The hosts that the cluster is tested on are what they say: apart from one another, and gone at the end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.hosts import Hosts, home, missing

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.timeout(120),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]


def test_each_has_its_own_and_all_share_one_folder(tmp_path: Path) -> None:
    with Hosts(["one", "two"], tmp_path) as hosts:
        for name in ("one", "two"):
            hosts.run(name, ["sh", "-c", f"echo {name} | tee ~/mine /tmp/mine /dev/shm/mine /mnt/shared/{name}"])
        for folder in ("/tmp", str(home()), "/dev/shm"):
            assert hosts.run("one", ["cat", f"{folder}/mine"]).stdout == "one\n"
        assert hosts.run("one", ["ls", "/mnt/shared"]).stdout.split() == ["one", "two"]
        assert hosts.home("two", "mine").read_text() == "two\n"
        assert hosts.run("one", ["hostname"]).stdout == "one\n"
        assert len(hosts.run("one", ["ps", "-e"]).stdout.splitlines()) < 10
        where = f"import sys, torch, groupdir; print(sys.prefix == {sys.prefix!r})"
        assert hosts.run("two", [sys.executable, "-c", where]).stdout == "True\n"
        refused = hosts.run("two", ["touch", str(Path(sys.prefix) / "new")], check=False)
        assert "Read-only file system" in refused.stderr


def test_ssh_from_one_to_the_other_with_and_without_a_terminal(tmp_path: Path) -> None:
    with Hosts(["one", "two"], tmp_path) as hosts:
        assert hosts.run("one", ["ssh", "two", "hostname"]).stdout == "two\n"
        assert hosts.run("one", ["ssh", "-tt", hosts.address["two"], "tty"]).stdout.startswith("/dev/pts/")
        assert "\x1b" not in hosts.run("one", ["tty"], check=False).stdout
        assert hosts.run("one", ["tty"], terminal=True).stdout.startswith("/dev/pts/")


def test_a_killed_host_answers_nobody_and_comes_back_with_its_home(tmp_path: Path) -> None:
    with Hosts(["one", "two"], tmp_path) as hosts:
        hosts.run("two", ["sh", "-c", "echo kept > ~/kept; echo gone > /tmp/gone"])
        sleeper = hosts.begin("two", ["sleep", "600"], tmp_path / "log")
        hosts.kill("two")
        sleeper.wait(timeout=10)
        assert hosts.run("one", ["ssh", "-o", "ConnectTimeout=1", "two", "true"], check=False).returncode != 0
        hosts.start("two")
        assert hosts.run("one", ["ssh", "two", "cat ~/kept; test -e /tmp/gone || echo gone"]).stdout == "kept\ngone\n"
        assert hosts.processes("two") == []


def test_nothing_is_left_even_if_the_maker_is_killed(tmp_path: Path, root: Path) -> None:
    code = f"""
import time
from pathlib import Path
from tests.cluster.hosts import Hosts
with Hosts(["one"], Path({str(tmp_path)!r})) as hosts:
    print(hosts._switch.pid, hosts._running["one"].pid, flush=True)
    time.sleep(600)
"""
    maker = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert maker.stdout is not None
    pids = [int(pid) for pid in maker.stdout.readline().split()]
    assert len(pids) == 2
    maker.kill()
    maker.wait()
    deadline = time.monotonic() + 10
    while (left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
