"""The command groupdir in a process of its own, of which nothing is left when it has ended: Ray's processes neither."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.checkout import ROOT
from tests.gpu.apart import kill_marked

MARK = "GROUPDIR_GPU_CHECK_COMMAND"
"""Environment variable that all processes of a command inherit, and by which they are found."""


@dataclass(frozen=True)
class Ended:
    """Command that has ended, with its exit status and what it printed."""

    status: int
    text: str

    @property
    def last_line(self) -> str:
        """The last line that it printed."""
        return self.text.strip().rpartition("\n")[2]


def run_command(arguments: list[str], folder: Path, seconds: float) -> Ended:
    """Run a command of groupdir, then kill every process that it has started.

    Args:
        arguments: Words after `groupdir`.
        folder: Folder for the files of Ray's session and for what the command prints.
        seconds: Time limit.

    Raises:
        TimeoutError: If the command has not ended in time. It and all its processes are killed.
    """
    mark = tempfile.mkdtemp(prefix="run-", dir=folder)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {MARK: mark, "TMPDIR": str(folder), "PYTHONPATH": os.pathsep.join(paths)}
    environment.pop("RAY_ADDRESS", None)
    log = Path(mark) / "output.txt"
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "groupdir", *arguments],
            cwd=folder,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            text = log.read_text(encoding="utf-8")[-600:]
            raise TimeoutError(f"groupdir {arguments[0]} has not ended after {seconds:.0f} s: {text}") from None
        finally:
            kill_marked(MARK, mark)
            process.wait()
    return Ended(status, log.read_text(encoding="utf-8"))
