"""The notice by which EC2 takes a spot machine back, from a server that stands for EC2's, and what is done then."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from launch.cluster.spot import NOTICE, RISK, Metadata, RayNode, seconds_left, watch


class EC2(ThreadingHTTPServer):
    """Metadata as EC2 tells them, by IMDSv2 alone: pages are told to whoever shows a token that is still good."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.pages: dict[str, str] = {}
        self.tokens: list[str] = []
        self.asked: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Answer(BaseHTTPRequestHandler):
    server: EC2

    def do_PUT(self) -> None:
        assert self.path == "/latest/api/token"
        assert 0 < int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 21600
        self.server.tokens.append(f"token-{len(self.server.tokens)}")
        self.answer(200, self.server.tokens[-1])

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if not self.server.tokens or self.headers["X-aws-ec2-metadata-token"] != self.server.tokens[-1]:
            self.answer(401, "")
        elif (page := self.server.pages.get(self.path.lstrip("/"))) is not None:
            self.answer(200, page)
        else:
            self.answer(404, "")

    def answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def ec2() -> Iterator[EC2]:
    with EC2() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def looks(count: int) -> Iterator[bool]:
    """A node that lives for so many looks."""
    yield from [True] * count
    yield False


def notice(seconds: float) -> str:
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    return json.dumps({"action": "terminate", "time": then})


def test_a_machine_that_is_not_taken_back_gives_nothing_up(ec2: EC2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", ec2.endpoint)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # metadata never go through one
    life, given_up = looks(3), list[float]()
    assert watch(Metadata(), lambda: next(life), lambda left: bool(given_up.append(left)), every=0.01) == 0
    assert not given_up
    assert len(ec2.tokens) == 1
    assert ec2.asked.count(f"/{NOTICE}") == 3


def test_a_notice_gives_the_node_up_once_with_the_seconds_that_are_left(
    ec2: EC2, capsys: pytest.CaptureFixture[str]
) -> None:
    ec2.pages[NOTICE] = notice(120)
    life, given_up = looks(5), list[float]()

    def give_up(left: float) -> bool:
        given_up.append(left)
        return len(given_up) == 2  # the head does not hear it at first

    watch(Metadata(ec2.endpoint), lambda: next(life), give_up, every=0.01)
    assert len(given_up) == 2
    assert 100 < given_up[0] <= 120
    assert capsys.readouterr().out.count("EC2 reclaims this machine") == 1


def test_a_machine_at_risk_is_only_told_of(ec2: EC2, capsys: pytest.CaptureFixture[str]) -> None:
    ec2.pages[RISK] = '{"noticeTime": "2026-01-01T00:00:00Z"}'
    life, given_up = looks(3), list[float]()
    watch(Metadata(ec2.endpoint), lambda: next(life), lambda left: bool(given_up.append(left)), every=0.01)
    assert not given_up
    assert capsys.readouterr().out.count("may reclaim this machine") == 1


def test_a_token_that_has_expired_is_asked_for_again(ec2: EC2) -> None:
    metadata = Metadata(ec2.endpoint)
    assert metadata.get(NOTICE) is None
    ec2.tokens.append("another")
    with pytest.raises(OSError, match="401"):
        metadata.get(NOTICE)
    ec2.pages[NOTICE] = "now"
    assert metadata.get(NOTICE) == "now"


def test_metadata_that_cannot_be_asked_end_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    life = looks(3)
    assert watch(Metadata("http://127.0.0.1:1"), lambda: next(life), lambda left: True, every=0.01) == 0
    assert capsys.readouterr().out.count("metadata cannot be read") == 1


def test_a_notice_without_a_time_leaves_two_minutes() -> None:
    assert seconds_left("soon") == 120.0
    assert seconds_left('{"action": "terminate"}') == 120.0
    assert seconds_left(notice(-50)) == 0.0


def test_ray_is_known_by_its_process(tmp_path: Path) -> None:
    def process(pid: int, *words: str) -> None:
        (tmp_path / str(pid)).mkdir(exist_ok=True)
        (tmp_path / str(pid) / "cmdline").write_bytes("\0".join(words).encode() + b"\0")

    assert RayNode.here(str(tmp_path)) is None
    process(7, "bash", "-c", "raylet --node_id=x --gcs-address=y")
    process(8, "/opt/ray/raylet", "--node_id=ab", "--worker=python --node_id=z -c a=b", "--gcs-address=10.0.0.1:6379")
    (tmp_path / "9").mkdir()
    node = RayNode.here(str(tmp_path))
    assert node == RayNode(8, "ab", "10.0.0.1:6379")
    assert node.lives(str(tmp_path))
    process(8, "/opt/ray/raylet", "--node_id=cd", "--gcs-address=10.0.0.1:6379")
    assert not node.lives(str(tmp_path)), "Ray was started anew"
