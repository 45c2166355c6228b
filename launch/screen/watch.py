"""Progress of a study whose search runs in another process."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from groupdir.command_line.console import say
from groupdir.study.read import ReadStudy, event_log, read_study
from groupdir.study.state import StudyState, fold
from launch.screen.choices import best_values, choice_lines
from launch.screen.counts import STANDINGS, phase_counts
from launch.screen.progress import Progress, status_text
from launch.screen.summary import continuation, failures_of, summary_text, unfinished
from launch.screen.time_left import TimeLeft
from launch.study.driver_lock import is_driven

EVERY = 0.5  # seconds between two reads of the event log


def watch(folder: Path) -> int:
    """Show a study until its search ends, as a live table in a terminal and as plain lines elsewhere.

    A study that no driver runs is only summarised.

    Returns:
        Exit status: 0, or 1 if the search was killed.

    Raises:
        DataError: If the folder holds no study.
    """
    state, seen = StudyState(), 0
    gone, here = not is_driven(folder), os.uname().nodename
    study = read_study(folder)
    if study.state.runs and (gone or study.state.session_start is None):
        return _ended(study, killed=study.state.session_start is not None)
    with event_log(folder) as (config, store), Progress(config, study.state) as progress:
        while state.runs == 0 or state.session_start is not None:
            gone = not is_driven(folder)  # before the events are read, so that the last event is not missed
            for event in store.events(seen):
                seen = event.seq
                if not gone and (host := event.payload.get("host", here)) != here:
                    progress.say(
                        f"the search runs on {host}: watch it there, because here its progress may appear late or never"
                    )
                progress.watch(fold(state, event), event)
            progress.refresh()
            if gone and state.session_start is not None:
                break
            time.sleep(EVERY)
    return _ended(ReadStudy(folder, config, state), killed=gone and state.session_start is not None)


def _ended(study: ReadStudy, *, killed: bool) -> int:
    """Print the summary of a study that no driver runs any more. Return the exit status of `watch`."""
    why = "the search was killed" if killed else ""
    say(summary_text(study.config, study.state, study.folder, why))
    return 1 if killed else 0


def glance(folders: Sequence[Path]) -> int:
    """Print the state of studies, a few lines each."""
    for folder in folders:
        study = read_study(folder)
        config, state = study.config, study.state
        active = state.session_start is not None and is_driven(folder)
        now = time.time() if active else state.last_time
        rest = TimeLeft(config).seconds(state, now) if active else math.nan
        say(f"{config.name}: {status_text(config, state, now, rest, active=active, settled=not active)}")
        lines = [*choice_lines(config, state), *failures_of(state)]
        if not active and unfinished(config, state):
            lines.append(f"not running; continue with: {continuation(folder)}")
        for line in lines:
            say(f"  {line}")
    return 0


def standing(folder: Path) -> dict[str, Any]:
    """Return the state of a study for a program to read. docs/json_output.md describes the keys.

    Raises:
        DataError: If the folder holds no study.
    """
    study = read_study(folder)
    config, state = study.config, study.state
    active = state.session_start is not None and is_driven(folder)
    phases = phase_counts(config, state, active=active, settled=not active)
    failed = [trial for trial in state.trials.values() if trial.status == "failed"]
    return {
        "study": config.name,
        "folder": str(folder),
        "active": active,
        "trials": sum(phase.planned for phase in phases),
        **{name: sum(phase.counts[name] for phase in phases) for name in STANDINGS},
        "phases": {phase.role: {"trials": phase.planned, **phase.counts} for phase in phases},
        "failures": [{"trial": trial.number, "message": trial.message} for trial in failed],
        "elapsed_seconds": state.elapsed(time.time() if active else state.last_time),
        "best": best_values(config, state),
    }
