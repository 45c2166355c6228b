"""End of a driver: its last event and the files of its study."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from groupdir.errors import GroupdirError
from launch.study.checkpoints import sweep
from launch.study.export import is_exported, mark_exported, write_tensorboard
from launch.study.snapshots import try_snapshot
from launch.study.study import Study


def finish(study: Study, say: Callable[[str], None], with_files: bool) -> None:
    """Record the end of a driver, write the files of the study, and close it, whatever fails of these.

    Args:
        study: The study.
        say: Function that prints a line.
        with_files: Whether to write the files. On a full disk and after a second Ctrl-C they are left to the next
            resume: the event log has everything that they would hold.
    """
    steps: list[Callable[[], object]] = [study.end]
    if with_files:
        steps += [
            lambda: say(notice) if (notice := sweep(study)) else None,
            lambda: export(study, say),
        ]
    for step in steps:
        try:
            step()
        except (OSError, GroupdirError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            with suppress(OSError):  # the terminal may be gone, or the output's disk full
                say(f"at the end of the search: {reason}")
    study.close()


def export(study: Study, say: Callable[[str], None]) -> None:
    """Write the tables and the TensorBoard runs, unless they hold the present state already."""
    if is_exported(study):
        return
    complete = try_snapshot(study, say)
    write_tensorboard(study)
    if complete:
        mark_exported(study)
