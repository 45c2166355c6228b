"""Hosts made of Linux namespaces on one machine: to SSH, to Ray and to Slurm they are machines of a network.

Each has an address, processes, mounts, a home, a temporary folder and an SSH server of its own, and sees
`/mnt/shared` as all others do. The network is a namespace too, so that two runs on one machine do not meet, and all of
it goes with the process that made it, even if that is killed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
NETWORK = "198.18.0"  # of the range that RFC 2544 sets aside for tests
SHARED = Path("/mnt/shared")
TOOLS = ("unshare", "nsenter", "setpriv", "mount", "ip", "ssh", "ssh-keygen", "/usr/sbin/sshd", "rsync")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SPACES = ("--net", "--pid", "--mount", "--uts", "--ipc")
SSHD = """HostKey /run/host/own/host_key
AuthorizedKeysFile /run/host/own/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
MaxSessions 100
UseDNS no
PrintMotd no
"""
SSH = """Host *
    IdentityFile ~/.ssh/id_ed25519
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
"""


@functools.cache
def missing() -> str | None:
    """Why no host can be made here, or None where they can."""
    if not sys.platform.startswith("linux"):
        return f"hosts of Linux namespaces need Linux, this is {sys.platform}"
    if os.geteuid() != 0:
        return "hosts of Linux namespaces need root"
    lacking = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if lacking:
        return f"hosts need {', '.join(lacking)} (Debian: openssh-server openssh-client rsync iproute2 util-linux)"
    bridge = ["unshare", *SPACES, "--fork", "sh", "-c", "mount --make-rprivate / && ip link add probe type bridge"]
    tried = subprocess.run(bridge, capture_output=True, text=True, check=False, env={"PATH": PATH})
    return None if tried.returncode == 0 else f"this machine refuses namespaces: {tried.stderr.strip()}"


def home() -> Path:
    """Root's home, on this machine and on each host."""
    return Path(pwd.getpwuid(0).pw_dir)


class Hosts:
    """Some hosts, for as long as the context lasts. Each can log in on each by SSH, as root, by name or address.

    Args:
        names: Of the hosts; the first gets the address 198.18.0.10, the next 198.18.0.11 and so on.
        root: An empty folder for their files; `root/shared` is /mnt/shared on all of them.
        visible: Folders that all see, read-only, at their own path; by default the checkout, the virtual environment
            and the Python below it. All that is not in the home, /tmp, /mnt or /run is seen in any case.
    """

    def __init__(self, names: Sequence[str], root: Path, visible: Sequence[Path] = ()) -> None:
        self.root = root.resolve()
        self.shared = self.root / "shared"
        self.address = {name: f"{NETWORK}.{number}" for number, name in enumerate(names, 10)}
        default = (Path(sys.base_prefix), Path(sys.prefix), CHECKOUT)
        self._visible = sorted({path.resolve() for path in (*default, *visible)})
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._switch: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._prepare()
            for name in self.address:
                self.start(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def folder(self, name: str, *parts: str) -> Path:
        """A folder of a host as seen from this machine: `home` or `tmp`, and below."""
        return self.root.joinpath("hosts", name, *parts)

    def home(self, name: str, *parts: str) -> Path:
        """A path in the home of a host, as seen from this machine."""
        return self.folder(name, "home", *parts)

    def start(self, name: str) -> None:
        """Turns a host on; its home is as it was, its temporary folder is new."""
        assert name not in self._running, f"{name} runs already"
        assert self._switch is not None, "the hosts must be used as a context"
        own = self.folder(name)
        shutil.rmtree(own / "tmp", ignore_errors=True)
        (own / "tmp").mkdir()
        (own / "tmp").chmod(0o1777)
        init = ["bash", str(HERE / "host_init.sh"), name, self.address[name], str(own), str(self.shared), str(home())]
        spaces = ["unshare", *SPACES, "--fork", "--kill-child=SIGKILL"]
        with (own / "init.log").open("ab") as log:
            process = _begin([*spaces, *init, *map(str, self._visible)], log)
        self._running[name] = process
        self._plug(name, _child_of(process))
        self._wait(name)

    def kill(self, name: str) -> None:
        """Pulls the plug: all of a host's processes are gone at once, and nobody is told.

        Its network card goes first: the processes' end would still close their connections in good order.
        """
        process = self._running.pop(name)
        self._in_switch("ip", "link", "delete", f"to-{name}", check=False)
        with contextlib.suppress(ProcessLookupError):
            os.kill(_child_of(process), signal.SIGKILL)  # its PID 1: the kernel ends the rest
        process.wait(timeout=30)

    def cut(self, name: str, off: bool = True) -> None:
        """Takes a host off the network, or puts it back; it still sees the shared folder, which is no network here."""
        self._in_switch("ip", "link", "set", f"to-{name}", "down" if off else "up")

    def unmount(self, name: str, off: bool = True) -> None:
        """Takes the shared folder away from a host, or gives it back; an empty folder is left."""
        bind = ["mount", "--bind", "/run/host/common", str(SHARED)]
        self.run(name, ["umount", "--lazy", str(SHARED)] if off else bind)

    def run(
        self,
        name: str,
        command: Sequence[str],
        *,
        check: bool = True,
        timeout: float = 300,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        terminal: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command on a host, as a person would who has logged in there.

        Args:
            name: The host's.
            command: Its words.
            check: Whether an exit code that is not 0 fails, with all that was said.
            timeout: Seconds.
            cwd: Where it runs; by default the home.
            env: More than PATH, HOME and the like; a login shell's `~/.profile` is read in any case.
            terminal: Whether it gets a terminal, as from a screen.
        """
        words = self._words(name, command, cwd, terminal)
        ran = subprocess.run(
            words, env=self._env(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
            check=False,
        )  # fmt: skip
        if check and ran.returncode != 0:
            raise AssertionError(f"{name}: {' '.join(command)} ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
        return ran

    def begin(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Begins a command on a host; what it says goes to a file. It ends with the host at the latest."""
        with log.open("ab") as to:
            return subprocess.Popen(
                self._words(name, command, cwd, False), env=self._env(env), stdin=subprocess.DEVNULL, stdout=to,
                stderr=to,
            )  # fmt: skip

    def processes(self, name: str) -> list[str]:
        """The command lines of all processes of a host, but PID 1, its sleep and its SSH server."""
        text = self.run(name, ["ps", "-ww", "-eo", "pid=,stat=,args="]).stdout
        rows = [line.split(None, 2) for line in text.splitlines()]
        plain = ("sleep 1", "sshd:", "bash -lc", "ps -ww", "/usr/sbin/sshd")
        return [row[2] for row in rows if row[0] != "1" and "Z" not in row[1] and not row[2].startswith(plain)]

    def close(self) -> None:
        """Ends all hosts and their network."""
        for name in list(self._running):
            self.kill(name)
        if self._switch is not None:
            self._switch.kill()
            self._switch.wait(timeout=30)
            self._switch = None

    def _prepare(self) -> None:
        """The files of all hosts, and the network between them."""
        self.shared.mkdir(parents=True, exist_ok=True)
        key = self.root / "id"
        if not key.exists():
            _keygen(key)
        names = "".join(f"{address} {name}\n" for name, address in self.address.items())
        for name in self.address:
            own = self.folder(name)
            (own / "home" / ".ssh").mkdir(parents=True, mode=0o700)
            _keygen(own / "host_key")
            (own / "sshd_config").write_text(SSHD)
            (own / "hosts").write_text(f"127.0.0.1 localhost\n{names}")
            (own / "resolv.conf").write_text("")
            shutil.copy(key.with_suffix(".pub"), own / "authorized_keys")
            shutil.copy(key, own / "home/.ssh/id_ed25519")
            (own / "home/.ssh/config").write_text(SSH)
            (own / "home/.profile").write_text('[ -f "$HOME/.bashrc" ] && . "$HOME/.bashrc"\n')
            (own / "home/.bashrc").write_text("")
        self._switch = _begin(["unshare", "--net", "sleep", "infinity"], subprocess.DEVNULL)
        _until(self._is_apart, lambda: "the network did not become a namespace of its own")
        self._in_switch("ip", "link", "add", "switch", "type", "bridge")
        self._in_switch("ip", "link", "set", "switch", "up")
        self._in_switch("ip", "address", "add", f"{NETWORK}.1/24", "dev", "switch")

    def _is_apart(self) -> bool:
        """Whether the network has left this machine's: before that, nothing may be changed in it."""
        assert self._switch is not None
        return Path(f"/proc/{self._switch.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()

    def _plug(self, name: str, init: int) -> None:
        """Puts a host's network card in, always with the same hardware address: others remember it."""
        number = int(self.address[name].rpartition(".")[2])
        near = ["ip", "link", "add", f"to-{name}", "type", "veth"]
        self._in_switch(*near, "peer", "name", "eth0", "address", f"02:00:c6:12:00:{number:02x}", "netns", str(init))
        self._in_switch("ip", "link", "set", f"to-{name}", "master", "switch", "up")

    def _wait(self, name: str) -> None:
        """Until the SSH server answers."""
        probe = f"exec 3<>/dev/tcp/{self.address[name]}/22"
        log = self.folder(name, "init.log")
        _until(lambda: self._in_switch("bash", "-c", probe, check=False), lambda: f"{name}: {log.read_text()}")

    def _in_switch(self, *words: str, check: bool = True) -> bool:
        """Runs a command in the network; whether it succeeded."""
        assert self._switch is not None
        enter = ["nsenter", "-t", str(self._switch.pid), "--net"]
        ran = subprocess.run([*enter, *words], capture_output=True, text=True, check=False, env={"PATH": PATH})
        if check and ran.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: {ran.stderr}")
        return ran.returncode == 0

    def _words(self, name: str, command: Sequence[str], cwd: str | Path | None, terminal: bool) -> list[str]:
        init = _child_of(self._running[name])
        enter = ["nsenter", "-t", str(init), "-m", "-u", "-i", "-n", "-p"]
        line = shlex.join(command)
        line = shlex.join(["script", "-qec", line, "/dev/null"]) if terminal else line
        return [*enter, "bash", "-lc", f"cd {shlex.quote(str(cwd or home()))} && {line}"]

    @staticmethod
    def _env(more: Mapping[str, str] | None) -> dict[str, str]:
        return {"PATH": PATH, "HOME": str(home()), "LANG": "C.UTF-8", "TERM": "xterm", "USER": "root", **(more or {})}


def _begin(words: Sequence[str], log: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """A process that is killed when this one dies, however it does."""
    words, env = ["setpriv", "--pdeathsig", "KILL", *words], {"PATH": PATH, "HOME": str(home())}
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)


def _child_of(process: subprocess.Popen[bytes]) -> int:
    """The one child of a process; waits until it is there.

    Raises:
        ProcessLookupError: The process ended without one.
    """
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        for pid, parent in _parents():
            if parent == process.pid:
                return pid
        time.sleep(0.02)
    raise ProcessLookupError(f"process {process.pid} has no child")


def _parents() -> Iterator[tuple[int, int]]:
    """Every process with its parent."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            yield int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])


def _until(works: Callable[[], bool], otherwise: Callable[[], str], seconds: float = 20) -> None:
    """Tries until it works.

    Raises:
        AssertionError: It did not in time.
    """
    deadline = time.monotonic() + seconds
    while not works():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise())
        time.sleep(0.05)


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
