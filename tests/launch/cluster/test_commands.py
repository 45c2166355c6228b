"""What is refused before anything is sent to a cluster, and what a screen shows."""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from groupdir.errors import ConfigError, DataError
from launch.__main__ import app
from launch.cluster import commands
from launch.cluster.commands import STOP, _escaped, check_shared, search, within_checkout
from launch.cluster.jobs import UnknownJob
from launch.cluster.shell import NODE
from launch.on_ray.private import PROCESSES

SPACE = "search_spaces/digits.yaml"
TABLE1 = "search_spaces/baselines/table1_digits.yaml"


@pytest.fixture(autouse=True)
def _in_the_checkout(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


def test_checkpoints_that_no_other_node_could_read_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"search\.storage_path: must be a folder that all nodes share"):
        check_shared(Path(SPACE), [])
    assert check_shared(Path(SPACE), ["search.storage_path=/mnt/shared/groupdir"]) == "digits"


def test_a_row_of_a_table_needs_them_too() -> None:
    with pytest.raises(ConfigError, match=r"search\.storage_path"):
        check_shared(Path(TABLE1), [])


def test_a_file_outside_of_what_is_sent_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert within_checkout(Path(SPACE).absolute()) == Path(SPACE)
    with pytest.raises(ConfigError, match="copy the file into search_spaces"):
        within_checkout(tmp_path / "space.yaml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="must be the checkout"):
        within_checkout(Path("space.yaml"))


def test_results_that_are_there_are_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exists already"):
        search("launch/cluster/on_premise.yaml", Path(SPACE), ["search.storage_path=/mnt/shared"], tmp_path)


class Through:
    """A tunnel to a cluster of the tests."""

    def __init__(self, cluster: object) -> None:
        pass

    def __enter__(self) -> str:
        return "http://127.0.0.1:1"

    def __exit__(self, *error: object) -> None:
        pass


@pytest.fixture
def knows(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """A cluster with jobs; gives the commands that are run."""

    def begin(*jobs: SimpleNamespace) -> list[list[str]]:
        ran: list[list[str]] = []
        by_name = {known.submission_id: known for known in jobs}
        monkeypatch.setattr(commands, "Tunnel", Through)
        monkeypatch.setattr(commands, "remember_head", lambda file: None)
        monkeypatch.setattr(commands, "client", lambda address: SimpleNamespace(list_jobs=lambda: list(jobs)))
        monkeypatch.setattr(commands, "show_job", lambda file, name, address: by_name[name])
        monkeypatch.setattr(commands, "run", lambda words: ran.append(words) or 0)
        return ran

    return begin


def job(name: str, status: str, code: int | None = None) -> SimpleNamespace:
    ends = type("Status", (str,), {"is_terminal": lambda self: self != "RUNNING"})
    return SimpleNamespace(
        submission_id=name, status=ends(status), start_time=1, metadata={"study": "digits"}, driver_exit_code=code
    )


CLUSTER = "launch/cluster/on_premise.yaml"


def test_a_search_that_runs_is_not_begun_twice(knows: Callable[..., list[list[str]]], tmp_path: Path) -> None:
    knows(job("digits-1", "RUNNING"))
    with pytest.raises(DataError, match=r"runs already \(digits-1\): groupdir attach digits"):
        commands.resume(CLUSTER, str(tmp_path / "digits"))


@pytest.mark.parametrize(
    ("place", "out", "words", "here"),
    [
        ("results/digits", None, ["~/groupdir/results/digits"], "results/digits"),
        (
            "s3://bucket/groupdir/digits",
            None,
            ["s3://bucket/groupdir/digits", "--out", "~/groupdir/results/digits"],
            "results/digits",
        ),
        (
            "s3://bucket/digits?region=x&scheme=http",
            "elsewhere/again",
            ["s3://bucket/digits?region=x&scheme=http", "--out", "~/groupdir/results/again"],
            "elsewhere/again",
        ),
    ],
)
def test_a_study_is_gone_on_with_on_the_head(
    monkeypatch: pytest.MonkeyPatch, place: str, out: str | None, words: list[str], here: str
) -> None:
    sent: list[tuple[list[str], Path]] = []
    monkeypatch.setattr(commands, "remember_head", lambda file: None)
    monkeypatch.setattr(commands, "_submit", lambda file, words, here, again=None: sent.append((words, here)) or 0)
    assert commands.resume(CLUSTER, place, None if out is None else Path(out), skip_doctor=True, quiet=True) == 0
    assert sent == [(["python", "-m", "launch", "resume", *words, "--skip-doctor", "--quiet"], Path(here))]


@pytest.mark.parametrize("name", ["a b", "$(touch x)", "`x`", "[bold]", "ü", "a;b", "a'b", "con", "a*b"])
def test_no_shell_and_no_rsync_can_misread_a_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    sent: list[list[str]] = []
    monkeypatch.setattr(commands, "remember_head", lambda file: None)
    monkeypatch.setattr(commands, "_submit", lambda file, words, here, again=None: sent.append(words) or 0)
    commands.resume(CLUSTER, f"results/{name}")
    assert re.fullmatch(r"~/groupdir/results/[\w.+=,-]+", sent[0][-1], re.ASCII), sent


@pytest.mark.parametrize("name", ["../x", "..", ".", "-rf", "", "a\nb", "a\0b", "a\x1bb", "x" * 201])
def test_a_name_that_no_study_can_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="the name of a study must be"):
        commands.attach(CLUSTER, name, None)


@pytest.mark.parametrize("where", [[], ["--cluster", CLUSTER]])
def test_only_what_comes_from_its_storage_has_another_folder(where: list[str]) -> None:
    run = CliRunner().invoke(app, ["resume", "results/digits", "--out", "elsewhere", *where])
    assert run.exit_code == 2
    assert "--out elsewhere: is for a study that comes from s3://..., but results/digits is a folder" in run.stderr


def test_a_table_is_gone_on_with_by_its_search(
    knows: Callable[..., list[list[str]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def gone(file: object, name: str, address: str) -> None:
        raise UnknownJob("was the head started anew?")

    knows()
    sent: list[tuple[Sequence[str], str]] = []
    monkeypatch.setattr(commands, "submit", lambda at, study, words, again: sent.append((words, again)) or "digits-1")
    monkeypatch.setattr(commands, "show_job", gone)
    monkeypatch.setattr(commands, "check_shared", lambda file, changes: "table1_digits")
    here = tmp_path / "table1_digits"
    here.mkdir()
    (here / "benchmark.yaml").touch()
    words = ["python", "-m", "launch", "search", TABLE1, "--set=search.storage_path=/mnt/shared"]
    again = shlex.join(["groupdir", *words[3:], "--cluster", CLUSTER, "--out", str(here)])
    with pytest.raises(DataError, match=re.escape("Continue with: " + again)):
        search(CLUSTER, Path(TABLE1), ["search.storage_path=/mnt/shared"], here)
    assert sent == [([*words, "--out", "~/groupdir/results/table1_digits"], again)]
    with pytest.raises(ConfigError, match="is a benchmark: continue it by the same `groupdir search`"):
        commands.resume(CLUSTER, str(here))
    (here / "benchmark.yaml").unlink()
    with pytest.raises(ConfigError, match="exists already"):
        search(CLUSTER, Path(TABLE1), ["search.storage_path=/mnt/shared"], here)


def test_attach_knows_what_goes_on_with_a_table(
    knows: Callable[..., list[list[str]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def gone(file: object, name: str, address: str) -> None:
        raise UnknownJob("was the head started anew?")

    begun = job("digits-1", "RUNNING")
    begun.metadata["again"] = "groupdir search x.yaml"
    knows(begun)
    monkeypatch.setattr(commands, "show_job", gone)
    with pytest.raises(DataError, match=r"Continue with: groupdir search x\.yaml$"):
        commands.attach(CLUSTER, "digits", tmp_path / "digits")


def test_a_search_that_nobody_knows(knows: Callable[..., list[list[str]]], tmp_path: Path) -> None:
    knows(job("digits-1", "SUCCEEDED"))
    with pytest.raises(DataError, match=r"which knows digits\. If the head was restarted: groupdir"):
        commands.attach(CLUSTER, "faces", tmp_path / "faces")


@pytest.mark.parametrize(("status", "code", "expected"), [("SUCCEEDED", 0, 0), ("FAILED", 2, 2), ("STOPPED", None, 1)])
def test_results_come_back_however_it_ended(
    knows: Callable[..., list[list[str]]], tmp_path: Path, status: str, code: int | None, expected: int
) -> None:
    ran = knows(job("digits-1", status, code))
    here = tmp_path / "digits"
    assert commands.attach(CLUSTER, "digits", here) == expected
    assert ran == [["ray", "rsync-down", CLUSTER, "~/groupdir/results/digits/", f"{here}/"]]


def test_what_to_look_at_next(
    knows: Callable[..., list[list[str]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    knows(job("digits-1", "SUCCEEDED", 0))
    commands.attach(CLUSTER, "digits", tmp_path)
    assert f"groupdir select {tmp_path} --shot few" in capsys.readouterr().out
    (tmp_path / "benchmark.yaml").touch()
    commands.attach(CLUSTER, "digits", tmp_path)
    assert f"groupdir benchmark-table {tmp_path}" in capsys.readouterr().out


def test_a_search_that_was_refused_leaves_nothing_in_the_way_of_the_next(
    knows: Callable[..., list[list[str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    knows(job("digits-1", "FAILED", 2))
    monkeypatch.setattr(commands, "run", lambda words: 23)  # as of rsync, which finds no folder there
    here = tmp_path / "digits"
    assert commands.attach(CLUSTER, "digits", here) == 2
    assert not here.exists()
    assert "A refused search has none" in capsys.readouterr().err
    here.mkdir()
    (here / "study.sqlite").touch()
    assert commands.attach(CLUSTER, "digits", here) == 2
    assert (here / "study.sqlite").is_file(), "what is there stays"


def test_a_log_of_a_killed_driver_is_not_read_with_the_record_that_comes_later(
    knows: Callable[..., list[list[str]]], tmp_path: Path
) -> None:
    knows(job("digits-1", "SUCCEEDED", 0))
    folders = (tmp_path, tmp_path / "row")
    for folder in folders:
        folder.mkdir(exist_ok=True)
        for name in ("study.sqlite", "study.sqlite-wal", "study.sqlite-shm", "epochs.parquet"):
            (folder / name).touch()
    assert commands.attach(CLUSTER, "digits", tmp_path) == 0
    for folder in folders:
        assert sorted(path.name for path in folder.glob("*.*")) == ["epochs.parquet", "study.sqlite"]


def test_status_asks_ray_and_then_the_checkout_on_the_head(knows: Callable[..., list[list[str]]]) -> None:
    ran = knows()
    assert commands.status(CLUSTER) == 0
    assert ran == [["ray", "exec", CLUSTER, f"{NODE} ray status && cd ~/groupdir && {NODE} python -m launch status"]]


@pytest.mark.parametrize(("restart", "more"), [(True, []), (False, ["--no-restart"])])
def test_up_is_ray_up(knows: Callable[..., list[list[str]]], restart: bool, more: list[str]) -> None:
    ran = knows()
    assert commands.up(CLUSTER, restart) == 0
    assert ran == [["ray", "up", CLUSTER, "--yes", *more]]


def test_a_worker_that_down_does_not_reach_is_named(
    knows: Callable[..., list[list[str]]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    knows()
    monkeypatch.setattr(commands, "run", lambda words: 255 if "me@192.168.0.12" in words else 0)
    assert commands.down(CLUSTER) == 1
    assert "not stopped or not reached: me@192.168.0.12:" in capsys.readouterr().err


@pytest.mark.parametrize("line", [STOP, "echo \"a $HOME\" '$HOME' `id -u` \\$x"])
def test_a_line_comes_through_two_shells_as_it_is(line: str) -> None:
    """The one that SSH starts, and the login shell in it."""
    outer = f'printf %s "{_escaped(line)}"'
    assert subprocess.run(["bash", "-c", outer], capture_output=True, text=True, check=True).stdout == line
    assert shlex.split(outer)[0] == "printf"


def test_a_first_ctrl_c_leaves_a_command_that_would_send_it_elsewhere(root: Path) -> None:
    """SSH makes the terminal raw where it reads from it; a Ctrl-C is then a byte like any other."""
    ssh = ["sh", "-c", "stty raw 2> /dev/null; echo ready; exec sleep 30"]
    code = f"from launch.cluster.shell import run; run({ssh!r}, keyboard=False)"
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(root)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # who runs in the background has it ignored
        os.execv(sys.executable, [sys.executable, "-c", code])
    seen = b""
    begun = time.monotonic()
    while b"\nready" not in seen:
        seen += os.read(terminal, 1024)
    os.write(terminal, b"\x03")
    with suppress(OSError):  # what a terminal says whose last program has gone
        while more := os.read(terminal, 1024):
            seen += more
    os.waitpid(child, 0)
    os.close(terminal)
    assert time.monotonic() - begun < 20
    assert b"KeyboardInterrupt" in seen


def test_the_machines_of_a_cloud_are_named_and_those_of_one_s_own_are_not(
    knows: Callable[..., list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    knows()
    for verb in (commands.up, commands.status):
        assert verb("cluster.yaml") == 0
        said = capsys.readouterr().out
        assert "cost money until `groupdir down --cluster cluster.yaml`: the head (m7i.xlarge) at all times" in said
        assert verb(CLUSTER) == 0
        assert "money" not in capsys.readouterr().out


def test_up_says_that_ray_checks_no_host_keys(
    knows: Callable[..., list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    knows()
    commands.up(CLUSTER)
    assert "accept any host key" in capsys.readouterr().err


def done(line: str, left: str) -> tuple[int, bool]:
    """Runs a line of `down` in a home with a node.sh that notes its words, beside a process that remains."""
    with tempfile.TemporaryDirectory() as home, subprocess.Popen(["bash", "-c", f"exec -a '{left}' sleep 60"]) as other:
        program = Path(home, "groupdir/launch/cluster/node.sh")
        program.parent.mkdir(parents=True)
        program.write_text(f'echo "$*" >> {home}/calls\n')
        while Path(f"/proc/{other.pid}/cmdline").read_bytes().split(b"\0")[0].decode() != left:
            time.sleep(0.01)
        env = {"HOME": home, "PATH": os.environ["PATH"]}
        ran = subprocess.run(["bash", "-c", line.replace("sleep 1;", "sleep 0.01;")], env=env, check=False)
        other.kill()
        return ran.returncode, "remove --keep" in Path(home, "calls").read_text()


@pytest.mark.parametrize("keep", [False, True])
def test_down_stops_and_cleans_each_machine(knows: Callable[..., list[list[str]]], keep: bool) -> None:
    ran = knows()
    assert commands.down(CLUSTER, keep) == 0
    lines = [words[-1] for words in ran if words[0] == "ssh"]
    assert len(lines) == 3
    for line in lines:
        words = line.replace("bash --login -i -c", "printf %s")
        inner = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=True).stdout
        subprocess.run(["bash", "-n", "-c", inner], check=True)
        assert inner.endswith(f"{NODE} remove --keep; }}" if keep else f"{NODE} remove; }}")
        inner = inner.replace(PROCESSES, f"[n]ode-of-{os.getpid()}")  # Rays of other tests are none of ours
        assert done(inner, "sleep") == (0, keep)
        assert done(inner, f"node-of-{os.getpid()}")[0] == 1, "a process remains"
