"""Live table of a search for a terminal: as many trials as fit, then the choices, the counts and the times."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from groupdir.config.space import StudyConfig
from groupdir.study.state import StudyState, TrialState
from launch.screen.counts import STANDINGS, standing_of

FRAME = 5  # lines of the table's title and borders, with one line of headings
LEAST_PARAMETERS = 18  # narrowest useful column of parameters
LEAST_ROWS = 3
MOST_ROWS = 40


class LiveTable:
    """Table of trials that fits into the terminal.

    The lines below the table are always complete: the best configurations so far, the counts and the times. The height
    that they leave decides how many trials are shown: running ones first, then those with the latest epochs, and
    waiting ones last. Numbers keep their width, and the text of the parameters gets the rest.

    Args:
        config: Configuration of the study.
        state: State of the study.
        choices: Lines about the choices so far.
        status: Lines with the counts and the times.
        active: Whether a driver runs the study.
    """

    def __init__(
        self,
        config: StudyConfig,
        state: StudyState,
        choices: Sequence[str],
        status: Sequence[str],
        active: bool = True,
    ) -> None:
        self._config, self._state, self._active = config, state, active
        self._choices, self._status = choices, status

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table and the lines below it for the size of a console."""
        height = options.height or console.height
        headings = self._headings(options.max_width)
        frame = FRAME + max(heading.count("\n") for heading in headings)
        foot = [*(Text(text) for text in self._choices), *(Text(text) for text in self._status)]
        # One line is left for the note about hidden trials, and one for the cursor.
        free = height - 2 - frame - _lines(console, options, foot)
        if free < LEAST_ROWS:  # a small terminal: no line may wrap
            foot = [Text(text, no_wrap=True, overflow="ellipsis") for text in (*self._choices, *self._status)]
            free = height - 2 - frame - len(foot)
        if free < 1:
            foot = foot[len(self._choices) :]
            free = height - 2 - frame - len(foot)
        trials = sorted(self._state.trials.values(), key=self._place)
        shown = trials[: max(1, min(free, MOST_ROWS))]
        yield self._table(headings, shown)
        if hidden := trials[len(shown) :]:
            counts = Counter(standing_of(trial, self._active) for trial in hidden)
            text = ", ".join(f"{counts[standing]} {standing}" for standing in STANDINGS if counts[standing])
            yield Text(f"... and {len(hidden)} more: {text}", no_wrap=True, overflow="ellipsis")
        yield from foot

    def _place(self, trial: TrialState) -> tuple[int, int]:
        """Return the sort key of a trial."""
        standing = standing_of(trial, self._active)
        latest = int(trial.rows[-1]["seq"]) if trial.rows else 0
        return ("running", "waiting").index(standing) * 2 if standing in ("running", "waiting") else 1, -latest

    def _headings(self, width: int) -> list[str]:
        """Return the headings of the objectives, in several lines each if the parameters had no room otherwise."""
        headings = [short(objective).removeprefix("val ") for objective in self._config.search.objectives]
        fixed = 5 + 8 + 5 + sum(max(len(heading), 6) for heading in headings) + 3 * (len(headings) + 4) + 1
        return headings if width - fixed >= LEAST_PARAMETERS else [heading.replace(" ", "\n") for heading in headings]

    def _table(self, headings: Sequence[str], trials: Sequence[TrialState]) -> Table:
        table = Table(title=Text(self._config.name), title_justify="left", expand=True)
        table.add_column("trial", justify="right", no_wrap=True, min_width=5)
        table.add_column("status", no_wrap=True, min_width=8)
        table.add_column("epoch", justify="right", no_wrap=True, min_width=5)
        for heading in headings:
            width = max(6, *map(len, heading.split("\n")))
            table.add_column(Text(heading), justify="right", no_wrap=True, min_width=width)
        table.add_column("parameters", overflow="ellipsis", no_wrap=True, ratio=1)  # the rest of the width
        for trial in trials:
            values = [number(trial.value(objective)) for objective in self._config.search.objectives]
            standing = standing_of(trial, self._active)
            table.add_row(str(trial.number), standing, str(trial.epoch), *values, Text(description(trial)))
        return table


def _lines(console: Console, options: ConsoleOptions, texts: Sequence[Text]) -> int:
    """Return the number of lines that texts take."""
    return sum(len(console.render_lines(text, options.update(height=None), pad=False)) for text in texts)


def description(trial: TrialState) -> str:
    """Return the last column of a trial: the message of a failure, or the phase with the parameters."""
    phase = "" if trial.role == "search" else f"{trial.role} {trial.label}"
    if trial.role == "confirmation":  # shorter, so that the number of the trial is in the narrowest column
        phase = f"confirms {trial.label.removeprefix('of ')}"
    text = " ".join(trial.message.split()) or params_text(trial.params)
    return f"{phase}: {text}" if phase else text


def short(objective: str) -> str:
    """Return a column's title: val_mae_few becomes "val mae few"."""
    return objective.replace("_", " ")


def number(value: float) -> str:
    """Return a metric in four digits, or a dash if it is not finite."""
    return f"{value:.4g}" if math.isfinite(value) else "-"


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
