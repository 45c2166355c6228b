"""Commands that a person could have typed: printed, then run."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def show(words: Sequence[str]) -> None:
    """Prints a command as one would type it."""
    print(f"$ {shlex.join(words)}", flush=True)


def run(words: Sequence[str], keyboard: bool = True) -> int:
    """Prints a command and runs it; its output is the person's.

    Args:
        words: The command.
        keyboard: Whether it gets what is typed. An SSH that does passes Ctrl-C on to the other machine; without, Ctrl-C
            ends this program.

    Returns:
        Its exit code.
    """
    show(words)
    return subprocess.run(found(words), check=False, stdin=None if keyboard else subprocess.DEVNULL).returncode


def found(words: Sequence[str]) -> list[str]:
    """The same with the `ray` of this Python's environment, which need not be on the PATH."""
    beside = Path(sys.executable).parent / words[0]
    return [str(beside) if beside.is_file() else words[0], *words[1:]]
