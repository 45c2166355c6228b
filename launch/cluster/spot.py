"""Watcher for EC2's notice that it reclaims a spot machine; it tells Ray to drain that node.

The notice comes two minutes ahead. `launch.on_ray.scheduler` then lets the trials of the node write checkpoints and
resume elsewhere. cluster.yaml starts `python -m launch.cluster.spot` next to Ray on each worker, and it ends with that
Ray. This module does not import Ray, because it runs for days and should need only a few megabytes.
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
PATIENCE = 60.0  # seconds to wait for the start of Ray
ENDPOINT = "http://169.254.169.254"
NOTICE = "latest/meta-data/spot/instance-action"
RISK = "latest/meta-data/events/recommendations/rebalance"
TOKEN_SECONDS = 21600


class Metadata:
    """Metadata that EC2 offers to a machine (IMDSv2).

    Args:
        endpoint: Address of the service; by default AWS_EC2_METADATA_SERVICE_ENDPOINT, or EC2's own.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        named = endpoint or os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or ENDPOINT
        self._endpoint = named.rstrip("/")
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        self._token: str | None = None

    def get(self, path: str) -> str | None:
        """Return a page, or None if it does not exist.

        Raises:
            OSError: If the service does not answer.
        """
        try:
            return self._page(path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            self._token = None  # 401: the token has expired
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
    """Raylet on this machine: its process, Ray's id of the node, and the address of the head."""

    pid: int
    name: str
    head: str

    @classmethod
    def here(cls, processes: str = "/proc") -> RayNode | None:
        """Return the raylet of this user, or None if no Ray runs."""
        return next((node for folder in Path(processes).glob("[0-9]*") if (node := cls.of(folder))), None)

    @classmethod
    def of(cls, process: Path) -> RayNode | None:
        """Return the raylet of a process folder in /proc, or None if the process is no raylet of this user."""
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            node = private.raylet(command) if process.stat().st_uid == os.getuid() else None
        except OSError:  # the process has ended
            return None
        return None if node is None else cls(int(process.name), *node)

    def lives(self, processes: str = "/proc") -> bool:
        """Return whether the process still runs."""
        return RayNode.of(Path(processes) / str(self.pid)) == self

    def give_up(self, seconds: float) -> bool:
        """Tell the head to send no new work to this node. Return whether the head has accepted."""
        command = private.drain_command(self.head, self.name, "EC2 reclaims this spot machine", seconds)
        print("$", *command, flush=True)
        return subprocess.run(command, check=False).returncode == 0


def watch(metadata: Metadata, lives: Callable[[], bool], give_up: Callable[[float], bool], every: float = EVERY) -> int:
    """Wait for the notice, then give the node up once.

    Args:
        metadata: Source of the notice.
        lives: Function that returns whether the node still runs. The watcher ends with the node.
        give_up: Function that gives the node up, with the remaining seconds. It is retried if it returns False.
        every: Seconds between two looks.

    Returns:
        Exit code 0.
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
                say(f"EC2 reclaims this machine: {notice}")
                given_up = give_up(seconds_left(notice))
            elif metadata.get(RISK):
                say("EC2 warns that it may reclaim this machine; nothing is done until it does")
        except (OSError, http.client.HTTPException) as error:
            say(f"EC2's metadata cannot be read, trying again: {error}")
        time.sleep(every)
    return 0


def seconds_left(notice: str, now: float | None = None) -> float:
    """Return the seconds until the machine is reclaimed, by the notice; two minutes if it names no time.

    >>> seconds_left('{"action": "terminate", "time": "1970-01-01T00:10:00Z"}', now=500.0)
    100.0
    """
    try:
        end = time.strptime(json.loads(notice)["time"], "%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, KeyError, TypeError):
        return 120.0
    return max(0.0, calendar.timegm(end) - (time.time() if now is None else now))


def main() -> int:
    """Watch the Ray of this machine. Return 1 if there is none."""
    end = time.monotonic() + PATIENCE
    while (node := RayNode.here()) is None:
        if time.monotonic() > end:
            print(f"Ray must run on this machine, but no raylet started within {PATIENCE:g} s: run `ray start` first")
            return 1
        time.sleep(1)
    print(f"watching for the notice of EC2, for Ray's node {node.name}", flush=True)
    return watch(Metadata(), node.lives, node.give_up)


if __name__ == "__main__":
    sys.exit(main())
