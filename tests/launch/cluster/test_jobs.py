"""A log that is followed over connections that break: each line once, and an end in any case."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from groupdir.errors import DataError
from launch.cluster import jobs
from launch.cluster.cluster_file import ClusterFile
from launch.cluster.jobs import Follower, UnknownJob, jobs_of

pytest.importorskip("aiohttp", reason="the extra [cluster] is not installed")

LOG = ["start\n", "trial 0 fini", "shed\ntrial 1", " stopped\n", "end\n"]
CLUSTER = ClusterFile(Path("cluster.yaml"), {"provider": {"type": "aws"}})


class Server:
    """A job server that breaks off after so many chunks, each time it is asked; None: it does not."""

    def __init__(self, breaks: list[int | None]) -> None:
        self.breaks = breaks
        self.ended = False
        self.known = True
        self.falters = False

    def get_job_info(self, job: str) -> object:
        if not self.known:
            raise RuntimeError("Request failed with status code 404: no such job")
        if self.falters:
            self.falters = False
            raise RuntimeError(f"Request failed with status code 500: {job}: the head is busy.")
        return SimpleNamespace(status=SimpleNamespace(is_terminal=lambda: self.ended))

    def get_job_logs(self, job: str) -> str:
        return "".join(LOG[:2])

    async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
        after = self.breaks.pop(0) if self.breaks else None
        for chunk in LOG[:after]:
            yield chunk
        if after is not None:
            raise RuntimeError("WebSocket connection closed unexpectedly with close code 1006")
        self.ended = True


class Tunnel:
    """Opens, or not."""

    refuses = 0

    def __init__(self, cluster: ClusterFile) -> None:
        pass

    def __enter__(self) -> str:
        if Tunnel.refuses:
            Tunnel.refuses -= 1
            raise DataError("nobody answers")
        return "http://127.0.0.1:1"

    def __exit__(self, *error: object) -> None:
        pass


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> object:
    """Follows a job of a server; what was said."""
    monkeypatch.setattr(jobs, "Tunnel", Tunnel)
    monkeypatch.setattr(jobs.time, "sleep", lambda seconds: None)

    def run(server: Server, refuses: int = 0, job: str = "digits-1") -> str:
        said: list[str] = []
        Tunnel.refuses = refuses
        monkeypatch.setattr(jobs, "client", lambda address: server)
        Follower(CLUSTER, job, lambda text, more: said.append(text)).follow("http://127.0.0.1:1")
        return "".join(said)

    return run


@pytest.mark.parametrize("breaks", [[], [0], [1, 2, 3], [3, 1, 4], [5]])
def test_each_line_comes_once_however_often_the_connection_breaks(follow, breaks: list[int | None]) -> None:  # type: ignore[no-untyped-def]
    assert follow(Server(breaks), refuses=len(breaks)) == "".join(LOG)


def test_what_was_written_before_the_connection_is_told_from_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, bool]] = []
    monkeypatch.setattr(jobs, "client", lambda address: Server([]))
    Follower(CLUSTER, "digits-1", lambda text, more: said.append((text, more))).follow("http://127.0.0.1:1")
    assert [more for _, more in said] == [True, False, False, False, False]


def test_a_head_that_was_started_anew_ends_it(follow) -> None:  # type: ignore[no-untyped-def]
    server = Server([])
    server.known = False
    with pytest.raises(UnknownJob, match="was the head restarted"):
        follow(server)


def test_a_job_begun_at_404_is_known_for_all_that(follow) -> None:  # type: ignore[no-untyped-def]
    server = Server([])
    server.falters = True
    assert follow(server, job="digits-20260101-140404") == "".join(LOG)


def test_ray_words_an_unknown_job_as_here() -> None:
    from ray.dashboard.modules.dashboard_sdk import SubmissionClient

    with pytest.raises(RuntimeError, match="status code 404:"):
        SubmissionClient._raise_error(None, SimpleNamespace(status_code=404, text="Job x does not exist"))  # type: ignore[arg-type]


def test_a_cluster_that_is_gone_ends_it(follow, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(jobs, "PATIENCE", -1.0)
    with pytest.raises(DataError, match="has not answered for"):
        follow(Server([1]))


def test_a_break_after_hours_of_following_is_no_silence_of_hours(follow, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    now = [0.0]

    class Late(Server):
        async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
            async for chunk in super().tail_job_logs(job):
                now[0] += 10 * jobs.PATIENCE
                yield chunk

    monkeypatch.setattr(jobs.time, "monotonic", lambda: now[0])
    assert follow(Late([2, 3, 4]), refuses=1) == "".join(LOG)


def submitted(monkeypatch: pytest.MonkeyPatch, study: str, words: list[str]) -> list[dict[str, Any]]:
    """Return the jobs that a job server gets when a study is submitted."""
    sent: list[dict[str, Any]] = []
    server = SimpleNamespace(submit_job=lambda **job: sent.append(job))
    monkeypatch.setattr(jobs, "client", lambda address: server)
    jobs.submit("http://127.0.0.1:1", study, words, "groupdir resume x")
    return sent


@pytest.mark.parametrize(
    "word", ["a b", "$(touch x)", "`x`", "--set=a=[1, 2]", "a'b\"c", "a\\b", "*", "~x", "-rf", "a;b"]
)
def test_the_shell_of_the_head_reads_the_words_that_were_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: str
) -> None:
    (job,) = submitted(monkeypatch, word.lstrip("-~") or "x", ["printf", "%s\\n", "~/x", word])
    shell = {"shell": True, "cwd": tmp_path, "env": {"HOME": "/home/me", "PATH": os.environ["PATH"]}}
    ran = subprocess.run(job["entrypoint"], capture_output=True, text=True, check=True, **shell)  # as Ray's job server
    assert ran.stdout.splitlines() == ["/home/me/x", word]
    assert not list(tmp_path.iterdir())
    assert re.fullmatch(r"[\w.+=,-]+", job["submission_id"], re.ASCII)
    assert job["metadata"]["study"] == (word.lstrip("-~") or "x")


def test_a_search_that_is_ended_early_has_time_to_write_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.dashboard.modules.job import job_supervisor

    (job,) = submitted(monkeypatch, "digits", ["true"])
    ((name, seconds),) = job["runtime_env"]["env_vars"].items()
    assert int(seconds) >= 60
    supervisor = inspect.getsource(job_supervisor.JobSupervisor.run)
    assert f'"{name}"' in supervisor, f"this Ray does not know {name}"


def test_searches_are_found_by_their_study_the_latest_last() -> None:
    def job(name: str, start: int, metadata: dict[str, str] | None) -> object:
        return SimpleNamespace(submission_id=name, start_time=start, metadata=metadata)

    listed = [
        job("b", 2, {"study": "digits"}),
        job("a", 1, {"study": "digits"}),
        job("c", 3, None),
        job("d", 4, {"study": "x"}),
    ]
    server = SimpleNamespace(list_jobs=lambda: listed)
    assert [found.submission_id for found in jobs_of(server, "digits")] == ["a", "b"]  # type: ignore[arg-type]
    assert [found.submission_id for found in jobs_of(server)] == ["a", "b", "d"]  # type: ignore[arg-type]
