"""A local S3 server, in a process of its own, and a bucket in it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

BUCKET = "studies"


@dataclass(frozen=True)
class S3:
    """A server that runs.

    Attributes:
        endpoint: Its address.
        env: What a process needs to know of it.
    """

    endpoint: str
    env: Mapping[str, str]

    def uri(self, path: str) -> str:
        """A place in the bucket."""
        return f"s3://{BUCKET}/{path}"


@contextlib.contextmanager
def s3_server(host: str = "127.0.0.1", command: tuple[str, ...] = ()) -> Iterator[S3]:
    """Runs a server as long as the context lasts.

    Args:
        host: Where it listens.
        command: What to put before the server's command line.
    """
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    words = [*command, sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)]
    server = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True
    )
    endpoint = f"http://{host}:{port}"
    try:
        _until_it_answers(server, f"{endpoint}/moto-api/")
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT"), timeout=10).close()
        env = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        yield S3(endpoint, {**env, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"})
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _until_it_answers(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            assert server.poll() is None, "the S3 server did not start"
            assert time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.2)
        else:
            return
