"""Display of a cluster job: its log, or, in a terminal while a study runs, the study's live table."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections import deque
from typing import TYPE_CHECKING

from launch.cluster.cluster_file import ClusterFile
from launch.cluster.jobs import Follower
from launch.cluster.shell import NODE, run

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

# See launch/search.py, `run_study`: the folder is a word of a shell, quoted if need be.
BEGINS = re.compile(r"^(?:start|resume) of .+ in ('(?:[^'\n]|'\"'\"')*'|[^\s']+): \d+ trials$", re.MULTILINE)
LAST = 20  # last lines of a log that are printed after the live table of its study


def show_job(cluster: ClusterFile, job: str, address: str) -> JobDetails:
    """Follow a job to its end.

    Args:
        cluster: File of the cluster.
        job: Name of the job.
        address: Address of the job server.

    Returns:
        The ended job.
    """
    screen = Screen(sys.stdout.isatty())
    follower = Follower(cluster, job, screen.take)
    through: str | None = address
    while True:
        try:
            ended = follower.follow(through)
        except StudyBegins as study:
            # The window's size is passed on because an SSH without a keyboard does not transmit it.
            window = "COLUMNS={} LINES={}".format(*shutil.get_terminal_size())
            look = f"cd ~/groupdir && {window} {NODE} python -m launch watch {shlex.quote(study.folder)}"
            screen.after_table(run(["ray", "exec", str(cluster.path), look], keyboard=False))
            through = None  # the old connection may have broken meanwhile
        else:
            screen.flush()
            return ended


class StudyBegins(Exception):
    """Signal that a study begins in the log.

    Args:
        folder: Folder of the study on the head.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.folder = folder


class Screen:
    """Printer of a log. After a live table it prints only the last of the lines that the table has replaced.

    Args:
        live: Whether the output is a terminal, which can show the table.
    """

    def __init__(self, live: bool) -> None:
        self._live = live
        self._seen_table = False
        self._lines: deque[str] = deque(maxlen=LAST)

    def take(self, text: str, more: bool = False) -> None:
        """Take new output.

        Args:
            text: Whole lines, or a part of one.
            more: Whether older output follows, which was written while the table was shown.

        Raises:
            StudyBegins: If the text announces a study and the output is a terminal.
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
            raise StudyBegins(shlex.split(begins[-1])[0])

    def after_table(self, code: int) -> None:
        """Report a live table that ended early.

        Args:
            code: Exit code of the table.
        """
        if code != 0:
            print(f"\nthe live table ended early (exit code {code}); the log of the search follows:", flush=True)

    def flush(self) -> None:
        """Print the lines held back, and all later output."""
        print("".join(self._lines), end="", flush=True)
        self._lines.clear()
        self._seen_table = False
