"""Commands that messages tell the user to type next."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from groupdir.names import unprintable, without_keys

PROGRAM = "groupdir"


def next_command(*arguments: object) -> str:
    """Return a command of `groupdir` that can be pasted into a shell.

    Args:
        arguments: Verb, files and options. Each becomes one word, quoted if it has blanks or special characters. A
            path that starts with a dash gets `./`, so that it is no option. Unprintable characters are escaped.

    >>> next_command("resume", "results/my study"), next_command("train", Path("-x.yaml"))
    ("groupdir resume 'results/my study'", 'groupdir train ./-x.yaml')
    """
    return " ".join([PROGRAM, *map(_word, arguments)])


def _word(argument: object) -> str:
    text = without_keys(str(argument))
    if isinstance(argument, Path) and text.startswith("-"):
        text = f"./{text}"
    if unprintable(text):  # $'...' is a word of bash on one line
        return "$'" + "".join(_escaped(char) for char in text) + "'"
    return shlex.quote(text)


def _escaped(char: str) -> str:
    """Return a character as it stands inside $'...'."""
    if char in "'\\":
        return f"\\{char}"
    return char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))
