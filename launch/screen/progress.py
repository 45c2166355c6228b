"""Progress of a running search: one live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from groupdir.config.space import StudyConfig
from groupdir.files.study_files import Status
from groupdir.study.events import Event
from groupdir.study.state import StudyState, TrialState
from launch.screen.choices import Choices

SHOWN = 24  # rows of the table: running trials first, then the latest of the others
LINE_EVERY = 10.0  # seconds between plain status lines
_ENDED: tuple[Status, ...] = ("finished", "stopped", "failed")


def total_trials(config: StudyConfig, state: StudyState) -> int:
    """Return the number of trials of the whole study, with ablations, and with confirmations once they have begun."""
    confirmations = state.round.before + state.round.trainings if state.round else 0
    return config.search.trials + confirmations + config.search.ablation_trials


def short(objective: str) -> str:
    """Return a column's title: val_mae_few becomes "val mae few"."""
    return objective.replace("_", " ")


def number(value: float) -> str:
    """Return a metric in four digits, or a dash if it is not finite."""
    return f"{value:.4g}" if math.isfinite(value) else "-"


def clock(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds.

    >>> clock(3725.4)
    '1:02:05'
    """
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def params_text(params: Mapping[str, object]) -> str:
    """Return parameters as a short text: the last part of each address, numbers in three digits.

    >>> params_text({"method.groups": 25, "method.temperature|cosine": 0.123456})
    'groups=25 temperature=0.123'
    """
    texts = []
    for name, value in params.items():
        shown = f"{value:.3g}" if isinstance(value, float) else json.dumps(value).replace('"', "")
        texts.append(f"{name.partition('|')[0].rpartition('.')[2]}={shown}")
    return " ".join(texts)


def estimated_rest(state: StudyState, total: int) -> float:
    """Return the seconds until all trials have ended at the pace so far, NaN before the first trial has ended."""
    ended = [trial for trial in state.trials.values() if trial.status in _ENDED]
    spent = sum(trial.seconds for trial in state.trials.values())
    elapsed = state.elapsed(state.last_time)
    if not ended or not spent:
        return math.nan
    mean = sum(trial.seconds for trial in ended) / len(ended)
    under_way = sum(min(trial.seconds, mean) for trial in state.trials.values() if trial.status == "running")
    return max(0.0, mean * (total - len(ended)) - under_way) * elapsed / spent


def status_text(state: StudyState, total: int, now: float) -> str:
    """Return the counts and times of a study in one line."""
    counts = ", ".join(f"{state.count(status)} {status}" for status in _ENDED)
    running = sum(trial.status == "running" and trial.started for trial in state.trials.values())
    rest = estimated_rest(state, total)
    remaining = f", about {clock(rest)} left" if math.isfinite(rest) else ""
    return f"{counts}, {running} running of {total} trials; {clock(state.elapsed(now))} elapsed{remaining}"


def line(trial: TrialState, objectives: Mapping[str, str]) -> str:
    """Return a trial that has ended as one plain line."""
    name = f"trial {trial.number}" + (f" ({trial.label}, seed {trial.seed})" if trial.label else "")
    if trial.status == "failed":
        return f"{name} failed after epoch {trial.epoch}: {trial.message}"
    values = "  ".join(f"{short(objective)} {number(trial.value(objective))}" for objective in objectives)
    return f"{name} {trial.status} at epoch {trial.epoch}: {values}  [{params_text(trial.params)}]"


def render(state: StudyState, config: StudyConfig, now: float, choices: Sequence[str]) -> Group:
    """Return the table of trials with the choices so far and the status below it, for a terminal."""
    objectives = config.search.objectives
    table = Table(title=config.name, title_justify="left", expand=True)
    table.add_column("trial", justify="right", no_wrap=True, min_width=5)
    table.add_column("status", no_wrap=True, min_width=8)
    table.add_column("epoch", justify="right", no_wrap=True, min_width=5)
    for objective in objectives:
        heading = short(objective).removeprefix("val ")  # every value is one of the validation split
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    table.add_column("parameters", overflow="ellipsis", no_wrap=True, ratio=1)  # the rest of the width
    trials = sorted(state.trials.values(), key=lambda trial: (trial.status != "running", -trial.number))
    for trial in trials[:SHOWN]:
        status = "waiting" if trial.status == "running" and not trial.started else trial.status
        text = trial.message or " ".join(filter(None, (trial.label, params_text(trial.params))))
        values = [number(trial.value(objective)) for objective in objectives]
        table.add_row(str(trial.number), status, str(trial.epoch), *values, Text(text))
    hidden = len(trials) - SHOWN
    footer = [f"... and {hidden} more"] if hidden > 0 else []
    footer += [*choices, status_text(state, total_trials(config, state), now)]
    return Group(table, *map(Text, footer))


class Progress:
    """Display of a study's progress. Use it as a context manager, and pass `watch` the events of the study.

    Args:
        config: Configuration of the study.
        console: Console to print to. A terminal gets the table, anything else gets plain lines.
        quiet: True to print nothing.
    """

    def __init__(self, config: StudyConfig, console: Console | None = None, quiet: bool = False) -> None:
        self._config = config
        self._console = Console(quiet=True, force_terminal=False) if quiet else console or Console()
        self._state = StudyState()
        self._choices = Choices(config)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._shown = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            self._live.update(self._rendered(time.time(), final=True), refresh=True)
            self._live.stop()

    def _rendered(self, now: float, *, final: bool = False) -> Group:
        return render(self._state, self._config, now, self._choices.lines(self._state, final=final))

    def watch(self, state: StudyState, event: Event) -> None:
        """Store the state after an event. Without a terminal, print a line for a trial that ended."""
        self._state = state
        if not self._live and event.kind in _ENDED and event.trial is not None:
            self.say(line(state.trials[event.trial], self._config.search.objectives))

    def say(self, text: str) -> None:
        """Print a line of text, above the table if there is one."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def refresh(self) -> None:
        """Redraw the table at most four times a second, or print a status line every ten seconds."""
        now = time.time()
        if now - self._shown < (0.25 if self._live else LINE_EVERY):
            return
        if self._live:
            self._live.update(self._rendered(now), refresh=True)
        elif self._shown:
            self.say(status_text(self._state, total_trials(self._config, self._state), now))
        self._shown = now
