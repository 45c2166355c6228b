"""Terminal output that shows every text as it is, and breaks lines between words only."""

from __future__ import annotations

import re
import sys
import textwrap
from typing import TYPE_CHECKING, Any, TextIO

from groupdir.command_line.next_command import PROGRAM

if TYPE_CHECKING:
    from rich.console import Console

_NARROWEST = 20
"""Narrowest terminal for which lines are broken."""
_COMMAND = re.compile(rf"`[^`\n]+`|(?:^|(?<=: ))(?:{PROGRAM}|ray) [a-z][a-z-]*(?: .*)?$")
"""Command inside a line: in backquotes, or from the begin of the line or a colon to the end of the line."""
_COLUMN = re.compile(r"\S+ {2,}(?=\S)")
"""First column of a line of a list, with the blanks up to the second column."""
_HELD = "\0"
"""Character that stands for a blank inside a command while a line is broken."""


def new_console(**options: Any) -> Console:
    """Return a console on which square brackets and colons are no markup, such as those in a path or a list.

    Args:
        options: Options of `rich.console.Console`.
    """
    from rich.console import Console

    return Console(**{"markup": False, "emoji": False, **options})


def say(text: str, *, err: bool = False) -> None:
    """Print a text. In a terminal its lines are broken between words; elsewhere they stay whole.

    Args:
        text: Lines of the text.
        err: Whether to print to stderr instead of stdout.
    """
    stream = sys.stderr if err else sys.stdout
    print(fitted(text, stream), file=stream, flush=True)


def say_on(console: Console, text: str) -> None:
    """Print a text on a console, as `say` does. A live display of the console stays below the text."""
    shown = wrapped(text, console.width) if console.is_terminal else text
    console.print(shown, markup=False, highlight=False, soft_wrap=True)


def fitted(text: str, stream: TextIO) -> str:
    """Return a text as it is printed to a stream: with lines that fit if the stream is a terminal."""
    return wrapped(text, new_console(file=stream).width) if stream.isatty() else text


def wrapped(text: str, width: int) -> str:
    """Return a text with lines of at most `width` characters, broken between words only.

    A long word such as a path, and a command to copy, stay in one piece even if they are longer than a line. The
    broken part of a line is indented, in a list of two columns up to the second column.

    Args:
        text: Lines of the text.
        width: Number of characters of a line.

    >>> print(wrapped("note: the path results/digits is taken: run `groupdir resume results/digits`", 40))
    note: the path results/digits is taken:
      run `groupdir resume results/digits`
    """
    return "\n".join(part for line in text.split("\n") for part in _parts(line, max(width, _NARROWEST)))


def broken(line: str, width: int, indent: str = "", first: str = "") -> list[str]:
    """Return a line in parts of at most `width` characters, broken between words only.

    Args:
        line: The line.
        width: Number of characters of a part. A longer word has a part of its own.
        indent: Begin of all parts but the first.
        first: Begin of the first part.
    """
    return textwrap.wrap(
        line,
        width,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _parts(line: str, width: int) -> list[str]:
    """Return a line in parts that fit, with the indent of each."""
    if len(line) <= width:
        return [line]
    text = line.lstrip(" ")
    first = len(line) - len(text)
    column = _COLUMN.match(text)
    indent = first + (column.end() if column else 2)
    if indent > width // 2:
        indent = min(first + 2, width // 2)
    held = _COMMAND.sub(lambda found: found[0].replace(" ", _HELD), text)
    return [part.replace(_HELD, " ") for part in broken(held, width, " " * indent, " " * first)] or [""]
