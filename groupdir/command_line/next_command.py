"""Commands that messages tell the user to type next."""

from __future__ import annotations

import shlex

PROGRAM = "groupdir"


def next_command(*arguments: object) -> str:
    """Return a command of `groupdir` that can be pasted into a shell.

    Args:
        arguments: Verb, files and options. Each becomes one word, quoted if it has blanks or special characters.

    >>> next_command("resume", "results/my study")
    "groupdir resume 'results/my study'"
    """
    return shlex.join([PROGRAM, *map(str, arguments)])
