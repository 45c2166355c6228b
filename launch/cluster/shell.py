"""Shell commands that are printed before they run, so that a person can repeat them."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NODE = "bash ~/groupdir/launch/cluster/node.sh"
"""Program on each machine of a cluster that runs a command in groupdir's environment. A shell there expands the path.

The environment is not on the PATH of the login, because that would change a file of the login's shell.
"""


def show(words: Sequence[str]) -> None:
    """Print a command as a person would type it."""
    print(f"$ {shlex.join(words)}", flush=True)


def run(words: Sequence[str], keyboard: bool = True) -> int:
    """Print a command and run it with its output on the screen.

    Args:
        words: Words of the command.
        keyboard: Whether the command reads the keyboard. If an SSH does, it passes Ctrl-C on to the other machine;
            otherwise Ctrl-C ends this program.

    Returns:
        Exit code of the command.
    """
    show(words)
    return subprocess.run(with_own_ray(words), check=False, stdin=None if keyboard else subprocess.DEVNULL).returncode


def with_own_ray(words: Sequence[str]) -> list[str]:
    """Return a command with the `ray` of this Python's environment, which need not be on the PATH."""
    program = Path(sys.executable).parent / words[0]
    return [str(program) if program.is_file() else words[0], *words[1:]]
