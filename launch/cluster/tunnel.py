"""The way to the cluster's job server, which listens on the head alone."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from types import TracebackType

from groupdir.command_line.next_command import next_command
from groupdir.errors import DataError
from launch.cluster.cluster_file import ClusterFile
from launch.cluster.shell import found, show

JOB_SERVER = 8265


class Tunnel:
    """A port of this machine that leads to the job server, for as long as the context lasts.

    Args:
        cluster: Whose.
        seconds: How long to wait for it.
    """

    def __init__(self, cluster: ClusterFile, seconds: float = 60) -> None:
        self._cluster = cluster
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> str:
        """Opens it.

        Returns:
            The server's address from here.

        Raises:
            DataError: Nobody answers.
        """
        port = free_port()
        words = ["ray", "dashboard", str(self._cluster.path), "--port", str(port), "--remote-port", str(JOB_SERVER)]
        show(words)
        with tempfile.TemporaryFile() as said:
            self._process = subprocess.Popen(
                found(words), stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )
            address = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + self._seconds
            while not answers(address):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._close()
                    said.seek(0)
                    last = said.read().decode(errors="replace").strip().splitlines()[-3:]
                    raise DataError(
                        f"{self._cluster.path}: the head's job server must answer, but does not: is the cluster up? "
                        f"See `{next_command('status', '--cluster', self._cluster.path)}`\n" + "\n".join(last)
                    )
                time.sleep(0.2)
        return address

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        """Ends Ray's command, and the SSH below it."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=30)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answers(address: str) -> bool:
    """Whether a job server is there."""
    import requests

    try:
        return requests.get(f"{address}/api/version", timeout=5).ok
    except requests.RequestException:
        return False
