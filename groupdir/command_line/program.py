"""Common settings of the programs of this project: help, version and exit codes.

Exit codes: 0 for success, 1 for a run that failed, 2 for a mistake in the command, a file or the data, 130 for Ctrl-C.
"""

from __future__ import annotations

import json
import math
import os
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from groupdir import __version__
from groupdir.command_line.console import fitted, say
from groupdir.errors import DiskFullError, FileWriteError, GroupdirError

FAILED: Final = 1
MISTAKE: Final = 2
INTERRUPTED: Final = 130  # exit code that shells report after Ctrl-C
OUTPUT_CLOSED: Final = 1  # exit code of typer when its output is closed
HELP_OPTIONS: Final = ("-h", "--help")
_FORMAT_WARNING: Final = warnings.formatwarning


class Panel(StrEnum):
    """Panels of verbs in the help, in the order of the help."""

    RUN = "Train and search"
    RESULTS = "Read a study"
    CHECKPOINT = "Use a trained model"
    INSPECT = "Look before you run"
    CLUSTER = "Clusters"
    SIMULATE = "Check and simulate searches"


SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="address=value, such as train.epochs=10; may be repeated.", show_default="none"),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress, only errors and the result.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read; see docs/json_output.md.")]


class Verbs(TyperGroup):
    """Group of commands that sorts its help by panel and converts results and errors into exit codes."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the names of the commands in the order of their panels."""
        order = list(Panel)
        last = len(order)

        def panel_index(name: str) -> int:
            panel = getattr(self.commands[name], "rich_help_panel", None)
            return order.index(panel) if panel in order else last

        return sorted(super().list_commands(ctx), key=panel_index)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run a command. A returned number is the exit code. Print an error that the user can fix without traceback."""
        try:
            code = super().invoke(ctx)
        except GroupdirError as error:
            say(str(error), err=True)
            full = isinstance(error, FileWriteError | DiskFullError) and error.disk_full
            raise typer.Exit(FAILED if full else MISTAKE) from None
        if isinstance(code, int) and not isinstance(code, bool):
            raise typer.Exit(code)
        return code


def new_program(help_text: str, *, cls: type[Verbs] = Verbs, completion: bool = False) -> typer.Typer:
    """Return a program without verbs, with the settings that all programs of this project share."""
    return typer.Typer(
        cls=cls,
        help=help_text,
        no_args_is_help=True,
        add_completion=completion,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": list(HELP_OPTIONS)},
    )


def new_group(help_text: str) -> typer.Typer:
    """Return an empty group of verbs inside a program, such as `groupdir data`."""
    return typer.Typer(help=help_text, no_args_is_help=True)


def run(program: typer.Typer, name: str) -> None:
    """Run a program with the arguments of the command line, then exit.

    Args:
        program: Program to run.
        name: Name that the help shows for the program.
    """
    warnings.formatwarning = _warning_text
    # The callback is added only here, because typer drops callbacks when it merges programs.
    program.callback()(_version_option)
    try:
        try:
            program(prog_name=name)
        finally:
            sys.stdout.flush()  # raises here for a closed pipe, and not when the interpreter exits
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes again at exit
        sys.exit(OUTPUT_CLOSED)


def _warning_text(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Return a warning as it is printed. Those of this project are for the user and come without a line of code."""
    if category is UserWarning and Path(filename).is_relative_to(Path(__file__).parents[1]):
        return fitted(f"warning: {message}", sys.stderr) + "\n"
    return _FORMAT_WARNING(message, category, filename, lineno, line)


def print_json(content: object) -> None:
    """Print a value as JSON. Numbers that are not finite become null."""
    typer.echo(json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(content: object) -> object:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return content


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"groupdir {__version__}")
        raise typer.Exit


def _version_option(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Define the options of the program itself."""
