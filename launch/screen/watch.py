"""A study that another process drives, on this screen."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from groupdir.command_line.next_command import next_command
from groupdir.files.study_files import STUDY_LOCK
from groupdir.study.read import event_log, read_study
from groupdir.study.state import StudyState, fold
from launch.screen.progress import Progress, best_text, status_text, total_trials

EVERY = 0.5  # seconds between two looks


def watch(folder: Path) -> int:
    """Shows a study until its driver ends: a live table in a terminal, plain lines elsewhere.

    Returns:
        0, or 1 where the driver is gone without an end.

    Raises:
        DataError: The folder holds no study.
    """
    state, seen = StudyState(), 0
    gone, here = False, os.uname().nodename
    with event_log(folder) as (config, store), Progress(config) as progress:
        while state.runs == 0 or state.session_start is not None:
            gone = not driven(folder)  # asked before the last look, so that an end is not missed
            for event in store.events(seen):
                seen = event.seq
                if not gone and (host := event.payload.get("host", here)) != here:
                    progress.say(f"its driver is on {host}: look on there, from here it may be seen late or not at all")
                progress.watch(fold(state, event), event)
            progress.refresh()
            if gone and state.session_start is not None:
                break
            time.sleep(EVERY)
    if gone and state.session_start is not None:
        print(f"its driver is gone; continue with: {next_command('resume', folder)}")
        return 1
    return 0


def glance(folders: Sequence[Path]) -> int:
    """Prints where studies stand, a few lines each."""
    for folder in folders:
        study = read_study(folder)
        config, state = study.config, study.state
        now = time.time() if state.session_start is not None and driven(folder) else state.last_time
        print(f"{config.name}: {status_text(state, total_trials(config), now)}")
        print(f"  best so far: {best_text(state, config.search)}")
    return 0


def standing(folder: Path) -> dict[str, Any]:
    """Return where a study stands, for a program to read; docs/json_output.md describes the keys.

    Raises:
        DataError: The folder holds no study.
    """
    study = read_study(folder)
    config, state = study.config, study.state
    active = state.session_start is not None and driven(folder)
    search = config.search
    best = {name: state.best(name, search.keeps) for name in search.objectives}
    return {
        "study": config.name,
        "folder": str(folder),
        "active": active,
        "trials": total_trials(config),
        **{status: state.count(status) for status in ("finished", "stopped", "failed", "running", "paused")},
        "elapsed_seconds": state.elapsed(time.time() if active else state.last_time),
        "best": {name: trial and {"trial": trial.number, "value": trial.value(name)} for name, trial in best.items()},
    }


def driven(folder: Path) -> bool:
    """Whether a process has a study open, on this machine or, where a network's file system has locks, on another."""
    try:
        with (folder / STUDY_LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # let go at once: a driver may be about to open it
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
