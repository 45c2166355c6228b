"""Progress of a study whose search runs in another process."""

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
from launch.screen.choices import best_values, choice_lines
from launch.screen.progress import Progress, status_text, total_trials

EVERY = 0.5  # seconds between two reads of the event log


def watch(folder: Path) -> int:
    """Show a study until its search ends, as a live table in a terminal and as plain lines elsewhere.

    Returns:
        Exit status: 0, or 1 if the search was killed.

    Raises:
        DataError: If the folder holds no study.
    """
    state, seen = StudyState(), 0
    gone, here = False, os.uname().nodename
    with event_log(folder) as (config, store), Progress(config) as progress:
        while state.runs == 0 or state.session_start is not None:
            gone = not driven(folder)  # before the events are read, so that the last event is not missed
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
    if gone and state.session_start is not None:
        print(f"the search was killed; continue with: {next_command('resume', folder)}")
        return 1
    return 0


def glance(folders: Sequence[Path]) -> int:
    """Print the state of studies, a few lines each."""
    for folder in folders:
        study = read_study(folder)
        config, state = study.config, study.state
        now = time.time() if state.session_start is not None and driven(folder) else state.last_time
        print(f"{config.name}: {status_text(state, total_trials(config, state), now)}")
        for line in choice_lines(config, state):
            print(f"  {line}")
    return 0


def standing(folder: Path) -> dict[str, Any]:
    """Return the state of a study for a program to read. docs/json_output.md describes the keys.

    Raises:
        DataError: If the folder holds no study.
    """
    study = read_study(folder)
    config, state = study.config, study.state
    active = state.session_start is not None and driven(folder)
    return {
        "study": config.name,
        "folder": str(folder),
        "active": active,
        "trials": total_trials(config, state),
        **{status: state.count(status) for status in ("finished", "stopped", "failed", "running", "paused")},
        "elapsed_seconds": state.elapsed(time.time() if active else state.last_time),
        "best": best_values(config, state),
    }


def driven(folder: Path) -> bool:
    """Return True if a process runs the search of a study.

    A process on another machine is noticed if the network file system supports locks.
    """
    try:
        with (folder / STUDY_LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # released at once: a search may be starting
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
