"""Commands that messages tell the user to type next."""

from __future__ import annotations

import shlex
from pathlib import Path

PROGRAM = "groupdir"


def next_command(*arguments: object) -> str:
    """Return a command of `groupdir` that can be pasted into a shell.

    Args:
        arguments: Verb, files and options. Each becomes one word, quoted if it has blanks or special characters. A file
            whose name begins with a dash gets its folder, because it would be read as an option.

    >>> next_command("resume", "results/my study"), next_command("resume", Path("-study"))
    ("groupdir resume 'results/my study'", 'groupdir resume ./-study')
    """
    quotable = [
        f"./{each}" if isinstance(each, Path) and str(each).startswith("-") else str(each) for each in arguments
    ]
    return shlex.join([PROGRAM, *quotable])
