"""Searches as jobs of a cluster: submit them with the checkout, find them again, follow them."""

from __future__ import annotations

import asyncio
import json
import shlex
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from groupdir.command_line.console import say
from groupdir.errors import DataError
from groupdir.names import plain_name
from launch.cluster.cluster_file import ClusterFile
from launch.cluster.shell import show
from launch.cluster.tunnel import Tunnel
from launch.on_ray import private

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

# Folders of the checkout that a search does not need. Files in .gitignore are not sent either.
LEFT_OUT = ("/.git", "/.venv", "/results", "/data", "/docs", "/tests")
# Seconds between the two signals of `ray job stop`, in which a stopped search writes its files. Ray's default of 3 is
# too short. The process that starts a job reads this variable from the job's environment.
ENDING = {private.STOP_SECONDS: "300"}
PATIENCE = 600.0  # seconds without an answer of the cluster after which a follower gives up


def submit(address: str, study: str, words: Sequence[str], again: str) -> str:
    """Copy the current folder to the cluster and start a command in the copy.

    Args:
        address: Address of the job server.
        study: Name by which the job can be found again.
        words: Words of the command.
        again: Command that continues the study after the head was lost, for messages.

    Returns:
        Name of the job.

    Raises:
        DataError: If the cluster refuses the job.
    """
    job = f"{plain_name(study)}-{time.strftime('%Y%m%d-%H%M%S')}"
    environment: dict[str, Any] = {"excludes": list(LEFT_OUT), "env_vars": ENDING}
    metadata = {"study": study, "again": again}
    command = ["ray", "job", "submit", "--address", address, "--submission-id", job, "--working-dir", "."]
    command += ["--metadata-json", json.dumps(metadata), "--runtime-env-json", json.dumps(environment)]
    show([*command, "--no-wait", "--", *words])
    try:
        # not by the command that is shown: versions of Ray differ in how it quotes the words for the head's shell
        client(address).submit_job(
            entrypoint=shell_line(words),
            submission_id=job,
            runtime_env={**environment, "working_dir": "."},
            metadata=metadata,
        )
    except (RuntimeError, OSError, ValueError) as error:
        raise DataError(f"the cluster did not take the search: {error}") from error
    return job


def shell_line(words: Sequence[str]) -> str:
    """Return words as a line of a shell, in which only `~/` at the start of a word keeps its meaning.

    >>> shell_line(["search", "--out", "~/a", "$(touch x)"])
    "search --out ~/a '$(touch x)'"
    """
    return " ".join(f"~/{shlex.quote(word[2:])}" if word.startswith("~/") else shlex.quote(word) for word in words)


def client(address: str) -> JobSubmissionClient:
    """Connect to a job server."""
    from ray.job_submission import JobSubmissionClient

    private.quiet_jobs()
    return JobSubmissionClient(address)


def jobs_of(server: JobSubmissionClient, study: str | None = None) -> list[JobDetails]:
    """Return the searches that the cluster knows, of one study or of all, with the latest last."""
    jobs = [job for job in server.list_jobs() if "study" in (job.metadata or {})]
    return sorted((job for job in jobs if study in (None, study_of(job))), key=lambda job: job.start_time or 0)


def study_of(job: JobDetails) -> str:
    """Return the study of a job."""
    return str((job.metadata or {})["study"])


class Follower:
    """Follower of a job's output until its end. It survives broken connections, such as those of a sleeping laptop.

    Args:
        cluster: File of the cluster.
        job: Name of the job.
        say: Function of new output, and whether that output is older than the connection.
    """

    def __init__(self, cluster: ClusterFile, job: str, say: Callable[[str, bool], None]) -> None:
        self._cluster = cluster
        self._job = job
        self._say = say
        self._seen = 0
        self._written = 0  # characters of the log when the connection was made

    def follow(self, address: str | None = None) -> JobDetails:
        """Follow the job to its end.

        Args:
            address: Address of a job server that answers already, if any.

        Returns:
            The ended job.

        Raises:
            UnknownJob: If the cluster does not know the job (any more).
            DataError: If the cluster does not answer for a long time.
        """
        lost: float | None = None  # time of the first failed connection
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
                say("the connection is lost, but the search continues: connecting again")
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
            self._read(server)  # reads until the job ends, or nothing if it has not begun
            time.sleep(0.5)
        self._read(server)
        return self._info(server)

    def _info(self, server: JobSubmissionClient) -> JobDetails:
        try:
            return server.get_job_info(self._job)
        except RuntimeError as error:
            if private.is_unknown_job(error):
                raise UnknownJob(f"{self._job}: the cluster does not know this job: was the head restarted?") from error
            raise _Lost(str(error)) from error

    def _read(self, server: JobSubmissionClient) -> None:
        """Pass on new output until the job or the connection ends."""
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
    """Job that the cluster does not know: a restarted head forgets its jobs, but keeps the studies."""


class _Lost(Exception):
    """Broken connection to the cluster."""
