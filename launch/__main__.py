"""`python -m launch`: starts a search, or goes on with one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from groupdir.errors import GroupdirError

app = typer.Typer(
    help="Search for good trials with Ray Tune.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def search(
    file: Annotated[Path, typer.Argument(help="A search space, such as search_spaces/digits.yaml.")],
    changes: Annotated[list[str] | None, typer.Option("--set", help="address=value, replaces a value.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the study [default: results/<its name>].")] = None,
) -> None:
    """Run a search from the beginning; of a table of methods, one search for each row."""

    def run() -> int:
        from groupdir.table import is_table
        from groupdir.yamlfile import Document

        if is_table(Document.read(file)):
            from launch.table import run_table

            return run_table(file, changes or (), out)
        from launch.search import search as run_search

        return run_search(file, changes or (), out)

    finish(run)


@app.command()
def table(
    file: Annotated[Path, typer.Argument(help="A table, such as search_spaces/baselines/table1_digits.yaml.")],
    changes: Annotated[list[str] | None, typer.Option("--set", help="address=value, replaces a value.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the table [default: results/<its name>].")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Label of a row; may be repeated [default: all].")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Trainings at once on the chosen trials.")] = None,
) -> None:
    """Search every row of a table with the same budget, then measure its best trial on several seeds; or go on."""
    from launch.table import run_table

    finish(lambda: run_table(file, changes or (), out, only or (), jobs))


@app.command()
def resume(folder: Annotated[Path, typer.Argument(help="Folder of a study, such as results/digits.")]) -> None:
    """Go on with a search that was interrupted or killed."""
    from launch.search import resume as run

    finish(lambda: run(folder))


def finish(run: Callable[[], int]) -> None:
    """Ends the program with the exit code of a run; 2, and the message alone, for a mistake that a person can mend."""
    try:
        code = run()
    except GroupdirError as error:
        print(error, file=sys.stderr)
        code = 2
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m launch")
