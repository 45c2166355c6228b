"""What is refused before anything is sent to a cluster, and what a screen shows."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from groupdir.errors import ConfigError
from launch.cluster.commands import STOP, _escaped, check_shared, search, within_checkout
from launch.cluster.live import Screen, StudyBegins

SPACE = "search_spaces/digits.yaml"


@pytest.fixture(autouse=True)
def _in_the_checkout(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


def test_checkpoints_that_no_other_node_could_read_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"search\.storage_path: must be a folder that all nodes share"):
        check_shared(Path(SPACE), [])
    assert check_shared(Path(SPACE), ["search.storage_path=/mnt/shared/groupdir"]) == "digits"


def test_a_row_of_a_table_needs_them_too() -> None:
    table = Path("search_spaces/baselines/table1_digits.yaml")
    with pytest.raises(ConfigError, match=r"search\.storage_path"):
        check_shared(table, [])


def test_a_file_outside_of_what_is_sent_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert within_checkout(Path(SPACE).absolute()) == Path(SPACE)
    with pytest.raises(ConfigError, match="copy it into search_spaces"):
        within_checkout(tmp_path / "space.yaml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="must be the checkout"):
        within_checkout(Path("space.yaml"))


def test_results_that_are_there_are_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exists already"):
        search("launch/cluster/on_premise.yaml", Path(SPACE), ["search.storage_path=/mnt/shared"], tmp_path)


@pytest.mark.parametrize("line", [STOP, "echo \"a $HOME\" '$HOME' `id -u` \\$x"])
def test_a_line_comes_through_two_shells_as_it_is(line: str) -> None:
    """The one that SSH starts, and the login shell in it."""
    outer = f'printf %s "{_escaped(line)}"'
    assert subprocess.run(["bash", "-c", outer], capture_output=True, text=True, check=True).stdout == line
    assert shlex.split(outer)[0] == "printf"


def test_a_log_is_printed_as_it_is_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live=False)
    for text in ("start of digits in /root/groupdir/results/digits: 28 trials\ntri", "al 0 stopped\n"):
        screen.take(text)
    assert "digits: 28 trials\ntrial 0 stopped\n" in capsys.readouterr().out


def test_in_a_terminal_a_study_is_shown_as_a_table_and_then_the_last_lines(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live=True)
    screen.take("warm start from x\n")
    with pytest.raises(StudyBegins) as begins:
        screen.take("start of digits in /root/groupdir/results/digits: 28 trials\n")
    assert begins.value.folder == "/root/groupdir/results/digits"
    screen.take("".join(f"line {number}\n" for number in range(100)))
    assert "line" not in capsys.readouterr().out
    screen.flush()
    said = capsys.readouterr().out
    assert "line 99" in said
    assert "line 79" not in said
