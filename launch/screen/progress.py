"""Progress of a running search: one live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live

from groupdir.command_line.console import new_console, say_on, wrapped
from groupdir.command_line.signals import write_at_once
from groupdir.config.space import StudyConfig
from groupdir.files.study_files import Status
from groupdir.steady import steady_time
from groupdir.study.events import Event
from groupdir.study.state import StudyState, TrialState
from launch.screen.choices import Choices
from launch.screen.counts import phase_counts
from launch.screen.live_table import LiveTable, number, params_text, short
from launch.screen.time_left import TimeLeft

LINE_EVERY = 10.0  # seconds between plain status lines
UP, ERASE = "\x1b[A", "\x1b[2K"  # what a terminal reads as: one line up, and erase the line
_ENDED: tuple[Status, ...] = ("finished", "stopped", "failed")


def clock(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds.

    >>> clock(3725.4)
    '1:02:05'
    """
    whole = max(0, int(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def waits_for(state: StudyState, active: bool = True) -> str:
    """Return what a running search waits for before its first epoch, or an empty text."""
    if not active or state.session_start is None or state.pace.epochs_of_driver:
        return ""
    if state.pace.running:
        return "waiting for the first epoch: workers read the data and begin to train"
    return "waiting for Ray to start"


def status_lines(
    config: StudyConfig,
    state: StudyState,
    now: float,
    left: float = math.nan,
    *,
    active: bool = True,
    settled: bool = False,
) -> list[str]:
    """Return the counts of each phase of a study, then its times.

    Args:
        config: Configuration of the study.
        state: State of the study.
        now: Time for which the lines hold, in unix seconds.
        left: Seconds that the study still takes, NaN if that is unknown.
        active: Whether a driver runs the study.
        settled: See `phase_counts`.
    """
    counts = [str(phase) for phase in phase_counts(config, state, active=active, settled=settled)]
    times = f"{clock(state.elapsed(now))} elapsed"
    if math.isfinite(left) and active and state.session_start is not None:
        times += f", about {clock(left)} left"
    if waits := waits_for(state, active):
        times += f"; {waits}"
    return [*counts, times]


def status_text(
    config: StudyConfig,
    state: StudyState,
    now: float,
    left: float = math.nan,
    *,
    active: bool = True,
    settled: bool = False,
) -> str:
    """Return the lines of `status_lines` as one line."""
    return "; ".join(status_lines(config, state, now, left, active=active, settled=settled))


def line(trial: TrialState, objectives: Mapping[str, str]) -> str:
    """Return a trial that has ended as one plain line."""
    kind = "trial" if trial.role == "search" else trial.role
    name = f"{kind} {trial.number}" + (f" ({trial.label}, seed {trial.seed})" if trial.label else "")
    if trial.status == "failed":
        return f"{name} failed after epoch {trial.epoch}: {trial.message}"
    values = "  ".join(f"{short(objective)} {number(trial.value(objective))}" for objective in objectives)
    return f"{name} {trial.status} at epoch {trial.epoch}: {values}  [{params_text(trial.params)}]"


class Progress:
    """Display of a study's progress. Use it as a context manager, and pass `watch` the events of the study.

    Args:
        config: Configuration of the study.
        state: State of the study so far; None for a reader that has seen no event yet.
        console: Console to print to. A terminal gets the table, anything else gets plain lines.
        quiet: True to print nothing.
    """

    def __init__(
        self,
        config: StudyConfig,
        state: StudyState | None = None,
        console: Console | None = None,
        quiet: bool = False,
    ) -> None:
        self._config = config
        self._console = new_console(quiet=True, force_terminal=False) if quiet else console or new_console()
        self._state = StudyState() if state is None else state
        self._choices = Choices(config)
        self._left = TimeLeft(config)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._drawn = False
        self._answers: list[str] = []
        self._shown = 0.0
        self._said = ""
        self._epochs = -1

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
            if self._state.trials:
                self._draw(self._rendered(steady_time()))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop(complete=error is None)

    def stop(self, complete: bool = True) -> None:
        """Draw the display for the last time.

        Args:
            complete: Whether the summary of the study follows.
        """
        if self._live:
            # The summary that follows has the choices and the counts. After an error nothing follows.
            ended = LiveTable(self._config, self._state, [], [], active=False)
            last = ended if complete else self._rendered(steady_time())
            self._say_answers()
            self._draw(last)
            self._drawn = False
            self._live.stop()

    def _rendered(self, now: float) -> LiveTable:
        choices = self._choices.lines(self._state)
        lines = status_lines(self._config, self._state, now, self._left.seconds(self._state, now))
        return LiveTable(self._config, self._state, choices, lines)

    def watch(self, state: StudyState, event: Event) -> None:
        """Store the state after an event. Without a terminal, print a line for a trial that ended."""
        self._state = state
        if not self._live and event.kind in _ENDED and event.trial is not None:
            self.say(line(state.trials[event.trial], self._config.search.objectives))

    def begin(self) -> None:
        """Show what earlier drivers have done, and that the search waits for Ray."""
        if not self._live and self._state.trials:
            self.say("so far: " + "; ".join(map(str, phase_counts(self._config, self._state))))
        self.refresh()

    def say(self, text: str) -> None:
        """Print a line of text, above the table if there is one."""
        say_on(self._console, text)

    def answer(self, text: str) -> None:
        """Show a line at once, while other code may be printing: for the handler of a signal.

        The line overwrites the end of the table and leaves the cursor on its last line, where the next table begins to
        erase this one; a line below it would leave the head of the table on the screen. The next `refresh` moves the
        line above the table.
        """
        if not self._drawn:
            write_at_once(text)
            return
        self._answers.append(text)
        lines = wrapped(text, self._console.width).split("\n")
        shown = "\r" + UP * (len(lines) - 1) + "\n".join(ERASE + part for part in lines)
        with contextlib.suppress(OSError):  # without Python's buffers, which the interrupted code may be using
            os.write(self._console.file.fileno(), shown.encode())

    def _say_answers(self) -> None:
        """Print the lines of `answer` above the table."""
        while self._answers:
            self.say(self._answers.pop(0))

    def _draw(self, table: LiveTable) -> None:
        if self._live:
            self._live.update(table, refresh=True)
            self._drawn = True

    def refresh(self) -> None:
        """Redraw the table at most four times a second, or print a status line every ten seconds.

        Without a terminal, a line follows only if an epoch was reported since the last one. Before the first epoch, one
        line says what the search waits for.
        """
        now, state = steady_time(), self._state
        self._say_answers()
        if not self._live and (waits := waits_for(state)) != self._said:
            self._said = waits
            if waits:
                self.say(waits)
        if now - self._shown < (0.25 if self._live else LINE_EVERY):
            return
        if self._live:
            self._draw(self._rendered(now))
        elif self._shown and state.epochs != self._epochs and not self._said:
            self.say(status_text(self._config, state, now, self._left.seconds(state, now)))
            self._epochs = state.epochs
        self._shown = now
