"""Tunnel to the job server of a cluster, which listens only on the head."""

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
from launch.cluster.shell import show, with_own_ray

JOB_SERVER = 8265


class Tunnel:
    """Context in which a port of this machine leads to the job server of a cluster.

    Args:
        cluster: File of the cluster.
        seconds: Longest time to wait for the job server.
    """

    def __init__(self, cluster: ClusterFile, seconds: float = 60) -> None:
        self._cluster = cluster
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> str:
        """Open the tunnel.

        Returns:
            Address of the job server on this machine.

        Raises:
            DataError: If the job server does not answer.
        """
        port = free_port()
        command = ["ray", "dashboard", str(self._cluster.path), "--port", str(port), "--remote-port", str(JOB_SERVER)]
        show(command)
        with tempfile.TemporaryFile() as output:
            self._process = subprocess.Popen(
                with_own_ray(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
            address = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + self._seconds
            while not answers(address):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._close()
                    output.seek(0)
                    last = output.read().decode(errors="replace").strip().splitlines()[-3:]
                    raise DataError(
                        f"{self._cluster.path}: the job server on the head does not answer: is the cluster up? "
                        f"See `{next_command('status', '--cluster', self._cluster.path)}`\n" + "\n".join(last)
                    )
                time.sleep(0.2)
        return address

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        """End Ray's command and its SSH process."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=30)


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answers(address: str) -> bool:
    """Return whether a job server answers at an address."""
    import requests

    try:
        return requests.get(f"{address}/api/version", timeout=5).ok
    except requests.RequestException:
        return False
