"""Texts of users are printed as they are, and a terminal breaks their lines between words only."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.table import Table

from groupdir.command_line.console import new_console, say, say_on, wrapped
from tests.checkout import ROOT

TEXT = "data/[bold]x[/] [/nosuch] a[0] :smile: [link=x]"
NOTE = (
    "note: search_spaces/my-own-space.yaml:3: data: /home/somebody/measurements/blood-pressure/2024/table.csv: column "
    "'site' holds 'a' in every training row, which says nothing about the target: list it in data.without"
)


def test_lines_and_tables_show_every_text() -> None:
    output = io.StringIO()
    console = new_console(file=output, width=200)
    console.print(TEXT, highlight=False)
    table = Table(TEXT, title=TEXT)
    table.add_row(TEXT)
    console.print(table)
    assert output.getvalue().count(TEXT) == 4


@pytest.mark.parametrize("width", [1, 20, 40, 79, 80, 200, 500])
def test_no_word_is_broken_or_lost(width: int) -> None:
    lines = wrapped(NOTE, width).split("\n")
    assert " ".join(line.strip() for line in lines) == NOTE
    assert all(len(line) <= max(width, 20) or len(line.split()) == 1 for line in lines)
    assert all(line.startswith("  ") for line in lines[1:]), "the broken part of a line is indented"
    assert len(lines) == 1 or width < len(NOTE)


@pytest.mark.parametrize(
    "line",
    [
        "  groupdir resume 'results/my long study' --skip-doctor --quiet --out 'another folder'",
        "next: groupdir select results/some-study/with-a-long-name --shot few --within val_mae_all=0.05",
        "not running; continue with: groupdir resume 'results/my long study' --skip-doctor --quiet",
        "$HOME is full: run `groupdir train 'my file.yaml' --seeds 5 --beside vanilla` again",
        "  ray exec cluster.yaml 'ray job stop raysubmit_1 --address http://127.0.0.1:8265'",
    ],
)
def test_a_command_stays_in_one_piece(line: str) -> None:
    found = re.search(r"(?:groupdir|ray) [a-z].*?(?=`|$)", line)
    assert found is not None
    assert any(found[0] in part for part in wrapped(line, 40).split("\n"))


def test_the_second_column_of_a_list_is_indented() -> None:
    lines = wrapped("  vanilla        Regression with one head and any loss that is registered", 40).split("\n")
    assert [line[:17].strip() for line in lines] == ["vanilla", "", ""]
    assert all(line[17] != " " for line in lines)
    wide = "  method.a_parameter_with_a_long_name    a choice of several values"
    assert wrapped(wide, 50).split("\n")[1].startswith("    "), "half of the width is left for the text"
    assert wrapped("a:\n\n  b", 20) == "a:\n\n  b"


def test_a_sentence_that_names_the_program_is_no_command() -> None:
    assert (
        max(map(len, wrapped(f"groupdir foo: this installation has no such verb. {'word ' * 30}", 60).split("\n")))
        <= 60
    )


def test_other_outputs_than_a_terminal_get_whole_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    say(NOTE)
    say(NOTE, err=True)
    output = io.StringIO()
    say_on(new_console(file=output), f"{NOTE} {TEXT}")
    assert capsys.readouterr() == (NOTE + "\n", NOTE + "\n")
    assert output.getvalue() == f"{NOTE} {TEXT}\n"


def screen_of(arguments: list[str], width: int, cwd: Path = ROOT) -> list[str]:
    """Return the lines that a command prints to a terminal of a width, through stdout or stderr."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [sys.executable, "-m", "groupdir", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        env={**environment, "TERM": "xterm"},
    ):
        os.close(theirs)
        content = b""
        try:
            while part := os.read(ours, 65536):
                content += part
        except OSError:  # the command has ended
            pass
    os.close(ours)
    return content.decode().replace("\r", "").splitlines()


def test_commands_break_lines_in_a_terminal(tmp_path: Path) -> None:
    whole = subprocess.run(
        [sys.executable, "-m", "groupdir", "list"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    lines = screen_of(["list"], 60)
    assert max(map(len, whole.splitlines())) > 60
    assert " ".join(" ".join(lines).split()) == " ".join(whole.split())
    assert [line for line in lines if len(line) > 60 and len(line.split()) > 1] == []
    (tmp_path / "wrong.yaml").write_text("data: {name: no_such_data_set}\nencoder: {name: convnet}\n")
    error = screen_of(["check", "wrong.yaml"], 60, tmp_path)
    assert len(error) > 2
    assert max(map(len, error)) <= 60
