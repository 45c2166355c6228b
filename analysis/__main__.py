"""`python -m analysis`: choose a configuration from a finished study, or write its page."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from analysis.rules import RULES
from groupdir.errors import GroupdirError
from groupdir.registry import did_you_mean

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Read what a search left in its folder.")

Folder = Annotated[Path, typer.Argument(help="A study's folder, such as results/digits.")]


def _rule(value: str) -> str:
    """Return the name of a rule.

    Raises:
        BadParameter: No rule is called so.
    """
    if value not in RULES:
        raise typer.BadParameter(f"unknown rule '{value}': {did_you_mean(value, RULES)}")
    return value


@app.command()
def select(
    folder: Folder,
    shot: Annotated[
        str,
        typer.Option(
            callback=_rule,
            autocompletion=lambda: RULES,
            metavar=f"[{'|'.join(RULES)}]",
            help="Choose the best value of this shot on the front; knee: the point nearest to the ideal one.",
        ),
    ],
    include_stopped: Annotated[
        bool, typer.Option("--include-stopped", help="Let trials that the scheduler stopped onto the front.")
    ] = False,
) -> None:
    """Print the Pareto front and write the chosen configuration as best_<shot>.yaml."""
    from analysis.load import load_results
    from analysis.select import print_selection, select_config

    study = load_results(folder)
    print_selection(study, select_config(study, shot, include_stopped=include_stopped))


@app.command()
def report(folder: Folder) -> None:
    """Write report.html, one page that needs no network, and front.png for print."""
    from analysis.load import load_results
    from analysis.page.report import write_report

    typer.echo(f"wrote {write_report(load_results(folder))}")


@app.command()
def simulation(
    folder: Annotated[Path, typer.Argument(help="What `python -m launch simulate` wrote: results/simulation.")],
) -> None:
    """Draw simulated searches: hypervolume by epochs spent and by wall time."""
    from analysis.figures.simulation import simulation_figure

    typer.echo(f"wrote {simulation_figure(folder)}")


@app.command()
def labels(
    file: Annotated[Path, typer.Argument(help="What `groupdir data describe --out` wrote: labels.csv.")],
) -> None:
    """Draw how many training samples each label has, by shot."""
    from analysis.figures.labels import label_figure

    typer.echo(f"wrote {label_figure(file)}")


class Form(StrEnum):
    """How a table is written."""

    text = "text"
    markdown = "markdown"
    latex = "latex"


@app.command()
def benchmark_table(
    folder: Annotated[Path, typer.Argument(help="A benchmark's folder, such as results/table1_digits.")],
    form: Annotated[Form, typer.Option("--format", help="How it is written.")] = Form.text,
) -> None:
    """Print a benchmark in the paper's shape: ours over seeds on the test set, the paper's numbers beside."""
    from analysis.benchmark import load_benchmark_results, tables

    typer.echo("\n\n".join(made.render(form.value) for made in tables(load_benchmark_results(folder))))


def main() -> None:
    """Runs the command line: what a person can mend is printed as one text on stderr, with exit code 2."""
    try:
        app()
    except GroupdirError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
