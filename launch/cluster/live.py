"""A job of the cluster on this screen: its log, and while a study runs, in a terminal, the study's live table."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections import deque
from typing import TYPE_CHECKING

from launch.cluster.cluster_file import ClusterFile
from launch.cluster.jobs import Follower
from launch.cluster.shell import run

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

BEGINS = re.compile(r"^(?:start|resume) of .+ in (.+): \d+ trials$", re.MULTILINE)  # see launch/search.py, `run_study`
LAST = 20  # lines of a log that are worth reading after its study was seen as a table


def show_job(cluster: ClusterFile, job: str, address: str) -> JobDetails:
    """Follows a job to its end.

    Args:
        cluster: Where it runs.
        job: Its name.
        address: Of the job server.

    Returns:
        The job, which has ended.
    """
    screen = Screen(sys.stdout.isatty())
    follower = Follower(cluster, job, screen.take)
    through: str | None = address
    while True:
        try:
            ended = follower.follow(through)
        except StudyBegins as study:
            # With the size of this window: an SSH that gets nothing from the keyboard does not tell it.
            window = "COLUMNS={} LINES={}".format(*shutil.get_terminal_size())
            look = f"cd ~/groupdir && {window} python -m launch watch {shlex.quote(study.folder)}"
            screen.after_table(run(["ray", "exec", str(cluster.path), look], keyboard=False))
            through = None  # it may have broken meanwhile
        else:
            screen.flush()
            return ended


class StudyBegins(Exception):
    """The log says that a study begins.

    Args:
        folder: Where, on the head.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.folder = folder


class Screen:
    """Prints a log; where there is a terminal, without the lines that a study's table has shown already, but the last.

    Args:
        live: Whether there is a terminal.
    """

    def __init__(self, live: bool) -> None:
        self._live = live
        self._seen_table = False
        self._lines: deque[str] = deque(maxlen=LAST)

    def take(self, text: str, more: bool = False) -> None:
        """Takes what is new.

        Args:
            text: Whole lines, or a part of one.
            more: Whether there is more already: after a table, what was written while it was shown.

        Raises:
            StudyBegins: It says so, and there is a terminal for its table.
        """
        if self._seen_table:
            self._lines.extend(text.splitlines(keepends=True))
            if not more:
                self.flush()
        else:
            print(text, end="", flush=True)
        begins = BEGINS.findall(text)
        if begins and self._live:
            self.flush()
            self._seen_table = True
            raise StudyBegins(begins[-1])

    def after_table(self, code: int) -> None:
        """Says what became of a table.

        Args:
            code: Its exit code.
        """
        if code != 0:
            print(f"\nthe table ended early (exit code {code}); from here on, the log of the search:", flush=True)

    def flush(self) -> None:
        """Prints what was held back, and from now on everything."""
        print("".join(self._lines), end="", flush=True)
        self._lines.clear()
        self._seen_table = False
