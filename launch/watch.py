"""A study that another process drives, on this screen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from groupdir.space import StudyConfig
from launch.progress import Progress, best_text, status_text, total_trials
from launch.state import StudyState, fold, replay
from launch.store import Store
from launch.study import CONFIG, LOCK, STORE

EVERY = 0.5  # seconds between two looks


def watch(folder: Path) -> int:
    """Shows a study until its driver ends: a live table in a terminal, plain lines elsewhere.

    Returns:
        0, or 1 where the driver is gone without an end.

    Raises:
        DataError: The folder holds no study.
    """
    store = Store.open(folder / STORE, readonly=True)
    config = StudyConfig.from_dict(store.study, str(folder / CONFIG))
    state, seen = StudyState(), 0
    gone = False
    with Progress(config) as progress:
        while state.runs == 0 or state.session_start is not None:
            gone = not driven(folder)  # asked before the last look, so that an end is not missed
            for event in store.events(seen):
                seen = event.seq
                progress.watch(fold(state, event), event)
            progress.refresh()
            if gone and state.session_start is not None:
                break
            time.sleep(EVERY)
    store.close()
    if gone and state.session_start is not None:
        print(f"its driver is gone; go on with: python -m launch resume {folder}")
        return 1
    return 0


def glance(folders: Sequence[Path]) -> int:
    """Prints where studies stand, a few lines each."""
    for folder in folders:
        store = Store.open(folder / STORE, readonly=True)
        config = StudyConfig.from_dict(store.study, str(folder / CONFIG))
        state = replay(store.events())
        store.close()
        now = time.time() if state.session_start is not None and driven(folder) else state.last_time
        print(f"{config.name}: {status_text(state, total_trials(config), now)}")
        print(f"  best so far: {best_text(state, config.search)}")
    return 0


def driven(folder: Path) -> bool:
    """Whether the process that last opened a study lives, on this machine."""
    lock = folder / LOCK
    pid = lock.read_text(encoding="utf-8").strip() if lock.is_file() else ""
    return bool(pid) and Path(f"/proc/{pid}").exists()
