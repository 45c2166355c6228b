"""Progress bar on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from groupdir.command_line.console import new_console


@contextmanager
def progress_bar(what: str, total: int, *, transient: bool = False) -> Iterator[Callable[..., None]]:
    """Show a progress bar on stderr if that is a terminal, and yield a function that advances it.

    Args:
        what: Description in front of the bar.
        total: Number of steps.
        transient: Remove the bar at the end.

    Yields:
        Function that takes the number of finished steps, by default one.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = new_console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=transient, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda steps=1: progress.advance(task, steps)
