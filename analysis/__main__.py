"""Command line of `python -m analysis`: choose a configuration of a study, compare methods, draw figures.

Each command is also a command of the installed program `groupdir`.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from groupdir.bootstrap.settings import DRAWS
from groupdir.command_line.console import say
from groupdir.command_line.program import JsonOption, Panel, new_group, new_program, print_json, run
from groupdir.registry import did_you_mean
from groupdir.rules import RULES, known_rule

app = new_program("Analyse the results of a search.")
figures_app = new_group("Draw figures for print.")

FolderArgument = Annotated[Path, typer.Argument(help="Folder of a study, such as results/digits.")]


def _rule(value: str) -> str:
    """Return the name of a rule.

    Raises:
        BadParameter: If no rule has this name.
    """
    try:
        return known_rule(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _tolerances(values: list[str] | None) -> list[str]:
    """Return the tolerances.

    Raises:
        BadParameter: If one of them is not a metric and a share.
    """
    from analysis.within import parse_tolerances

    try:
        parse_tolerances(values or [])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return values or []


def _say_if_damaged(folder: Path) -> None:
    """Print a warning if the event log of a study is damaged. The Parquet files may be intact, but older."""
    from groupdir.study.read import damage

    if text := damage(folder):
        say(f"warning: {text}", err=True)


@app.command(rich_help_panel=Panel.RESULTS)
def select(
    folder: FolderArgument,
    shot: Annotated[
        str,
        typer.Option(
            callback=_rule,
            autocompletion=lambda: RULES,
            metavar=f"[{'|'.join(RULES)}]",
            help="Choose the configuration with the best estimate for this shot, or the best compromise (knee).",
        ),
    ],
    within: Annotated[
        list[str] | None,
        typer.Option(
            callback=_tolerances,
            metavar="METRIC=SHARE",
            help="Choose only among configurations whose estimate of a metric is near the best, such as "
            "val_mae_all=2%; may be repeated.",
            show_default="none",
        ),
    ] = None,
    include_stopped: Annotated[
        bool, typer.Option("--include-stopped", help="Include trials that the scheduler stopped.")
    ] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Choose although the search has remaining trials.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Print the Pareto front and write the chosen configuration as best_SHOT.yaml."""
    from analysis.load import load_results, refuse_unfinished
    from analysis.select import select_config
    from analysis.selection_json import selection_to_json
    from analysis.selection_text import print_selection
    from analysis.within import parse_tolerances

    _say_if_damaged(folder)
    study = load_results(folder)
    if not unfinished:
        refuse_unfinished(study)
    selection = select_config(study, shot, parse_tolerances(within or []), include_stopped=include_stopped)
    if json:
        print_json(selection_to_json(study, selection))
    else:
        print_selection(study, selection)


@app.command(rich_help_panel=Panel.RESULTS)
def report(folder: FolderArgument) -> None:
    """Write report.html, one page that works without a network, and front.png for print."""
    from analysis.load import load_results
    from analysis.page.report import write_report

    _say_if_damaged(folder)
    study = load_results(folder)
    if study.left:
        say(study.unfinished)
    typer.echo(f"wrote {write_report(study)}")


class Form(StrEnum):
    """Format of a table."""

    text = "text"
    markdown = "markdown"
    latex = "latex"


BenchmarkArgument = Annotated[
    Path,
    typer.Argument(metavar="FOLDER|PACK", help="Folder of a benchmark, or a file of `groupdir benchmark-pack`."),
]


@app.command("benchmark-table", rich_help_panel=Panel.RESULTS)
def benchmark_table(
    benchmark: BenchmarkArgument,
    form: Annotated[Form, typer.Option("--format", help="Format of the table.")] = Form.text,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="ROW", help="Print a second table: the differences of all rows from this one.", show_default="none"
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Print a benchmark as a table: our test errors, and the paper's next to them."""
    from analysis.benchmark.as_json import benchmark_to_json
    from analysis.benchmark.differences import differences_table
    from analysis.benchmark.tables import tables
    from groupdir.files.benchmark_pack import read_benchmark

    record = read_benchmark(benchmark)
    if json:
        print_json(benchmark_to_json(record))
        return
    printed = [*tables(record), *([differences_table(record, against)] if against is not None else [])]
    readers = f"% {record.readers}" if form == Form.latex else record.readers
    typer.echo("\n\n".join([*(made.render(form.value) for made in printed), readers]))


@app.command("benchmark-pack", rich_help_panel=Panel.RESULTS)
def benchmark_pack(
    folder: Annotated[Path, typer.Argument(help="Folder of a benchmark, such as results/table1_digits.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write, such as docs/results/table1_digits.parquet.")],
) -> None:
    """Write everything behind the tables of a benchmark to one small file, from which they can be printed again."""
    from groupdir.files.benchmark_pack import write_pack
    from groupdir.files.benchmark_record import record_of_folder

    record = record_of_folder(folder)
    write_pack(record, out)
    counts = f"{len(record.trials):,} trials, {len(record.measured):,} measured trainings"
    typer.echo(f"wrote {out}: {counts}, {out.stat().st_size:,} bytes")


def _metrics(values: list[str]) -> list[str]:
    """Return the names of metrics without duplicates.

    Raises:
        BadParameter: If a name is not that of a metric with shots.
    """
    from groupdir.metrics import METRICS

    known = [name for name, metric in METRICS.items() if metric.compares == "values"]
    for value in values:
        if value not in known:
            raise typer.BadParameter(f"unknown metric '{value}': {did_you_mean(value, known)}")
    return list(dict.fromkeys(values))


@app.command(rich_help_panel=Panel.RESULTS)
def compare(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="[LABEL=]PATH...",
            help="Folders of `groupdir train` or files of predictions. Repeat a label for more data sets or seeds.",
        ),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            callback=lambda values: _metrics(values or ["mae"]),
            help="Metric to print; may be repeated. --out and --json have all metrics.",
            show_default="mae",
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the predictions.")] = "test",
    out: Annotated[
        Path | None, typer.Option(help="Folder for compare.csv and the figure of ranks.", show_default="none")
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Number of bootstrap draws.")] = DRAWS,
    json: JsonOption = False,
) -> None:
    """Compare measured configurations: which differences are shown, and which cannot be told apart."""
    from analysis.comparison.comparison import compare as compare_configurations
    from analysis.comparison.show import comparison_text, comparison_to_json, write_csv

    names = metric or []
    every = None if json or out is not None else names
    comparison = compare_configurations(inputs, split=split, metrics=every, draws=draws)
    written = [] if out is None else [write_csv(comparison, out)]
    if out is not None and (panels := comparison.panels(names[0])):
        from analysis.figures.critical_difference import critical_difference_figure

        title = f"average ranks by {names[0]} ({comparison.split}), 1 is best; a bar joins what cannot be told apart"
        written.append(critical_difference_figure(out, title, panels))
    if json:
        print_json(comparison_to_json(comparison))
    else:
        typer.echo(comparison_text(comparison, names))
        for path in written:
            typer.echo(f"wrote {path}")


app.add_typer(figures_app, name="figures", rich_help_panel=Panel.RESULTS)


@figures_app.command("simulation")
def draw_simulation(
    folder: Annotated[Path, typer.Argument(help="Folder of `groupdir simulate`, such as results/simulation.")],
) -> None:
    """Draw simulated searches: hypervolume over epochs spent and over wall time."""
    from analysis.figures.simulation import simulation_figure

    typer.echo(f"wrote {simulation_figure(folder)}")


@figures_app.command("best-of-n")
def draw_best_of_n(benchmark: BenchmarkArgument) -> None:
    """Draw what the searches of a benchmark would find with fewer trials."""
    from analysis.benchmark.best_of_n import best_of_n
    from analysis.figures.best_of_n import best_of_n_figure
    from groupdir.files.benchmark_pack import read_benchmark

    typer.echo(f"wrote {best_of_n_figure(best_of_n(read_benchmark(benchmark)), benchmark)}")


@figures_app.command("labels")
def draw_labels(
    file: Annotated[Path, typer.Argument(help="CSV file of `groupdir data describe --out`.")],
) -> None:
    """Draw the number of training samples of each label, by shot."""
    from analysis.figures.labels import label_figure

    typer.echo(f"wrote {label_figure(file)}")


def main() -> None:
    """Run the command line."""
    run(app, "python -m analysis")


if __name__ == "__main__":
    main()
