"""Answer to a signal during the live table: at once on the screen, and no part of a table stays above the summary."""

import contextlib
import os
import pickle
import pty
import re
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from groupdir.command_line.console import new_console, wrapped
from launch.interrupt import FIRST, SECOND, Interrupt
from launch.screen.progress import Progress
from launch.study.study import Study

WIDTH, HEIGHT = 80, 24
SEQUENCE = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


def screen_of(output: str) -> list[str]:
    """Return the lines that a terminal shows, with those that it has scrolled away, after some output."""
    lines, row, column = [""], 0, 0
    for found in SEQUENCE.finditer(output):
        number, command, text = found[1] or "", found[2], found[0]
        if command == "A":
            row = max(0, len(lines) - HEIGHT, row - int(number or 1))
        elif command == "K":
            lines[row] = ""
        elif text == "\r":
            column = 0
        elif text == "\n":
            row += 1
            lines += [""] * (row - len(lines) + 1)
        elif not command:
            assert column + len(text) <= WIDTH, "no line is broken by the terminal"
            lines[row] = lines[row].ljust(column)[:column] + text + lines[row][column + len(text) :]
            column += len(text)
    return [line.rstrip() for line in lines]


Shown = Callable[[], list[str]]


@pytest.fixture
def terminal(study: Study, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Progress, Shown, Console]]:
    """A live table on a terminal, and a function that returns the lines of its screen."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("LINES", str(HEIGHT))
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    output = b""

    def shown() -> list[str]:
        nonlocal output
        with contextlib.suppress(BlockingIOError):
            while part := os.read(ours, 65536):
                output += part
        return screen_of(output.decode())

    with os.fdopen(theirs, "w", encoding="utf-8") as file:
        console = new_console(file=file, force_terminal=True, width=WIDTH, height=HEIGHT, color_system=None)
        yield Progress(study.config, study.state, console), shown, console
    os.close(ours)


def test_an_answer_is_shown_at_once_and_leaves_one_table(
    terminal: tuple[Progress, Shown, Console],
    study: Study,
    suggest: Callable[[Study], int],
    train: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    progress, shown, console = terminal
    now = iter(range(0, 1000, 10))
    monkeypatch.setattr("launch.screen.progress.steady_time", lambda: float(next(now)))
    for _ in range(4):
        train(study, suggest(study), [3.0, 2.0], "")
    with progress:
        progress.say("start of the search")
        progress.refresh()
        os.write(console.file.fileno(), b"^C")  # a terminal shows the key behind the last line
        progress.answer(FIRST)
        lines = wrapped(FIRST, WIDTH).split("\n")
        assert shown()[-2:] == lines, "before anything else is drawn"
        progress.refresh()
        assert shown()[1:3] == lines, "above the table"
    assert shown()[:3] == ["start of the search", *lines]
    assert sum(line.startswith("┃ trial") for line in shown()) == 1
    assert not any("^C" in line for line in shown())


def test_answers_without_a_table_go_to_stderr(
    terminal: tuple[Progress, Shown, Console], capfd: pytest.CaptureFixture[str]
) -> None:
    progress, shown, _ = terminal
    progress.answer(FIRST)
    with progress:
        progress.answer(SECOND)
    progress.answer(FIRST)
    assert capfd.readouterr().err.count(FIRST) == 2
    assert not any(FIRST[:20] in line for line in shown())


def test_an_interrupt_does_not_keep_the_display() -> None:
    """Ray pickles the condition of an early end, and a display has locks."""
    interrupt, answers = Interrupt(None), list[str]()
    with interrupt.catch(answers.append):
        os.kill(os.getpid(), 2)
    assert answers == [FIRST]
    assert pickle.dumps(interrupt)
