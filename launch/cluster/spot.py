"""Waits on a worker for the notice by which EC2 takes a spot machine back, and has Ray give that node up.

Two minutes are left then. `launch.on_ray.scheduler` lets the node's trials write checkpoints, and go on elsewhere.
cluster.yaml starts this beside Ray on each worker, `python -m launch.cluster.spot`, and it ends with that Ray. Nothing
here imports Ray: it is there for days, and needs a few megabytes.
"""

from __future__ import annotations

import calendar
import http.client
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from launch.on_ray import private

EVERY = 5.0  # seconds between two looks, as AWS advises
PATIENCE = 60.0  # for Ray to start
ENDPOINT = "http://169.254.169.254"
NOTICE = "latest/meta-data/spot/instance-action"
RISK = "latest/meta-data/events/recommendations/rebalance"
TOKEN_SECONDS = 21600


class Metadata:
    """What EC2 tells a machine of itself (IMDSv2).

    Args:
        endpoint: By default that of AWS_EC2_METADATA_SERVICE_ENDPOINT, or EC2's own.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        named = endpoint or os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or ENDPOINT
        self._endpoint = named.rstrip("/")
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        self._token: str | None = None

    def get(self, path: str) -> str | None:
        """A page; None where there is none.

        Raises:
            OSError: It cannot be asked.
        """
        try:
            return self._page(path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            self._token = None  # 401: it has expired
            raise

    def _page(self, path: str) -> str:
        if self._token is None:
            lasts = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
            self._token = self._ask("latest/api/token", "PUT", lasts)
        return self._ask(path, "GET", {"X-aws-ec2-metadata-token": self._token})

    def _ask(self, path: str, method: str, headers: Mapping[str, str]) -> str:
        request = urllib.request.Request(f"{self._endpoint}/{path}", method=method, headers=dict(headers))
        with self._open(request, timeout=EVERY) as answer:
            return str(answer.read().decode())


@dataclass(frozen=True)
class RayNode:
    """Ray on this machine, as its raylet was started: the process, Ray's name of the node, and the head's address."""

    pid: int
    name: str
    head: str

    @classmethod
    def here(cls, processes: str = "/proc") -> RayNode | None:
        """That of this user; None where no Ray runs."""
        return next((node for folder in Path(processes).glob("[0-9]*") if (node := cls.of(folder))), None)

    @classmethod
    def of(cls, process: Path) -> RayNode | None:
        """That of a process, named by its folder in /proc; None where it is no raylet of this user."""
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            node = private.raylet(command) if process.stat().st_uid == os.getuid() else None
        except OSError:  # it has ended
            return None
        return None if node is None else cls(int(process.name), *node)

    def lives(self, processes: str = "/proc") -> bool:
        """Whether that process is still there."""
        return RayNode.of(Path(processes) / str(self.pid)) == self

    def give_up(self, seconds: float) -> bool:
        """Tells the head that this node goes, so that it gets nothing new; whether the head has heard it."""
        command = private.drain_command(self.head, self.name, "EC2 takes this spot machine back", seconds)
        print("$", *command, flush=True)
        return subprocess.run(command, check=False).returncode == 0


def watch(metadata: Metadata, lives: Callable[[], bool], give_up: Callable[[float], bool], every: float = EVERY) -> int:
    """Waits for the notice, and gives the node up once.

    Args:
        metadata: Where the notice comes.
        lives: Whether the node still runs: this ends with it.
        give_up: Gives it up, with the seconds that are left; asked again where it fails.
        every: Seconds between two looks.

    Returns:
        0, the exit code.
    """
    said: set[str] = set()
    given_up = False

    def say(text: str) -> None:
        if text not in said:
            said.add(text)
            print(text, flush=True)

    while lives():
        try:
            if not given_up and (notice := metadata.get(NOTICE)):
                say(f"EC2 takes this machine back: {notice}")
                given_up = give_up(seconds_left(notice))
            elif metadata.get(RISK):
                say("EC2 says that this machine is at risk of being taken back; nothing is done before it is")
        except (OSError, http.client.HTTPException) as error:
            say(f"EC2's metadata cannot be read, and are asked again: {error}")
        time.sleep(every)
    return 0


def seconds_left(notice: str, now: float | None = None) -> float:
    """Until the machine goes, by the notice; two minutes where that is not told.

    >>> seconds_left('{"action": "terminate", "time": "1970-01-01T00:10:00Z"}', now=500.0)
    100.0
    """
    try:
        told = time.strptime(json.loads(notice)["time"], "%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, KeyError, TypeError):
        return 120.0
    return max(0.0, calendar.timegm(told) - (time.time() if now is None else now))


def main() -> int:
    """Watches over the Ray that runs here; 1 where there is none."""
    end = time.monotonic() + PATIENCE
    while (node := RayNode.here()) is None:
        if time.monotonic() > end:
            print(f"Ray must run on this machine, but no raylet came within {PATIENCE:g} s: run `ray start` first")
            return 1
        time.sleep(1)
    print(f"watching for the notice of EC2, for Ray's node {node.name}", flush=True)
    return watch(Metadata(), node.lives, node.give_up)


if __name__ == "__main__":
    sys.exit(main())
