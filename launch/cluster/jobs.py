"""Searches as jobs of the cluster: sent there with the checkout, found again, and followed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from groupdir.errors import DataError
from launch.cluster.cluster_file import ClusterFile
from launch.cluster.shell import found, show
from launch.cluster.tunnel import Tunnel
from launch.on_ray import private

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

# What of the checkout a search does not need; what .gitignore names stays here too.
LEFT_OUT = ("/.git", "/.venv", "/results", "/data", "/docs", "/tests")
# Seconds between the two signals of `ray job stop`, in which a search that is ended early writes its files: Ray's own 3
# are too few. The process that begins a job there reads this name from the job's environment.
ENDING = {private.STOP_SECONDS: "300"}
PATIENCE = 600.0  # seconds without an answer of the cluster, after which to stop asking


def submit(address: str, study: str, words: Sequence[str], again: str) -> str:
    """Sends the folder in which this runs to the cluster, where a command is begun in a copy of it.

    Args:
        address: Of the job server.
        study: Name by which the job is found again.
        words: The command.
        again: What goes on with the study here, after a head that died: for messages.

    Returns:
        The job's name.

    Raises:
        DataError: It was not taken.
    """
    job = f"{study}-{time.strftime('%Y%m%d-%H%M%S')}"
    environment = json.dumps({"excludes": list(LEFT_OUT), "env_vars": ENDING})
    command = ["ray", "job", "submit", "--address", address, "--submission-id", job, "--working-dir", "."]
    command += ["--metadata-json", json.dumps({"study": study, "again": again}), "--runtime-env-json", environment]
    command += ["--no-wait", "--", *words]
    show(command)
    ran = subprocess.run(found(command), capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise DataError(f"the cluster did not take the search: {ran.stdout}{ran.stderr}".strip())
    return job


def client(address: str) -> JobSubmissionClient:
    """Talks to a job server."""
    from ray.job_submission import JobSubmissionClient

    private.quiet_jobs()
    return JobSubmissionClient(address)


def jobs_of(server: JobSubmissionClient, study: str | None = None) -> list[JobDetails]:
    """The searches that this cluster knows, of one study or all, the latest last."""
    jobs = [job for job in server.list_jobs() if "study" in (job.metadata or {})]
    return sorted((job for job in jobs if study in (None, study_of(job))), key=lambda job: job.start_time or 0)


def study_of(job: JobDetails) -> str:
    """The study that a job works on."""
    return str((job.metadata or {})["study"])


class Follower:
    """Prints what a job says until it ends, over connections that may break: a laptop that sleeps, a network that goes.

    Args:
        cluster: Where it runs.
        job: Its name.
        say: Takes what is new, and whether there was more when the connection was made.
    """

    def __init__(self, cluster: ClusterFile, job: str, say: Callable[[str, bool], None]) -> None:
        self._cluster = cluster
        self._job = job
        self._say = say
        self._seen = 0
        self._written = 0  # characters of the log when the connection was made

    def follow(self, address: str | None = None) -> JobDetails:
        """Follows it.

        Args:
            address: Of a job server that answers already.

        Returns:
            The job, which has ended.

        Raises:
            UnknownJob: The cluster does not know it (any more).
            DataError: It does not answer for a long time.
        """
        lost: float | None = None  # since when nobody answers
        while True:
            try:
                if address is not None:
                    return self._until_end(address)
                with Tunnel(self._cluster) as through:
                    lost = None
                    return self._until_end(through)
            except UnknownJob:
                raise
            except (OSError, DataError, _Lost) as error:
                lost = time.monotonic() if lost is None else lost
                if time.monotonic() - lost > PATIENCE:
                    raise DataError(f"{self._cluster.path}: has not answered for {PATIENCE:.0f} s: {error}") from error
                print("the connection is lost, the search goes on: trying again", flush=True)
                address = None
                time.sleep(2)

    def _until_end(self, address: str) -> JobDetails:
        server = client(address)
        self._info(server)
        try:
            self._written = len(server.get_job_logs(self._job))
        except RuntimeError as error:
            raise _Lost(str(error)) from error
        while not self._info(server).status.is_terminal():
            self._read(server)  # until it ends, or nothing at all where it has not begun
            time.sleep(0.5)
        self._read(server)
        return self._info(server)

    def _info(self, server: JobSubmissionClient) -> JobDetails:
        try:
            return server.get_job_info(self._job)
        except RuntimeError as error:
            if private.is_unknown_job(error):
                raise UnknownJob(f"{self._job}: the cluster does not know it: was the head started anew?") from error
            raise _Lost(str(error)) from error

    def _read(self, server: JobSubmissionClient) -> None:
        """Says what is new until the job or the connection ends."""
        import aiohttp

        async def tail() -> None:
            place = 0
            stream: Any = server.tail_job_logs(self._job)
            async for text in stream:
                place += len(text)
                if place > self._seen:
                    new, self._seen = text[self._seen - place :], place
                    self._say(new, place < self._written)

        try:
            asyncio.run(tail())
        except (RuntimeError, aiohttp.ClientError) as error:
            raise _Lost(str(error)) from error


class UnknownJob(DataError):
    """A head that was started anew has forgotten the jobs before; the studies are where they were."""


class _Lost(Exception):
    """The connection broke."""
