"""`groupdir`: train, evaluate and predict with one configuration; check, list, look at data. Imports torch late."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from groupdir.errors import GroupdirError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
data_app = typer.Typer(no_args_is_help=True, help="Look at a data set.")
app.add_typer(data_app, name="data")
Set = Annotated[
    list[str] | None, typer.Option("--set", help="address=value, such as train.epochs=10; may be repeated.")
]


@app.command()
def train(
    file: Annotated[Path, typer.Argument(help="A trial's YAML, such as results/digits/best_few.yaml.")],
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, counted from the file's.")] = 1,
    beside: Annotated[str | None, typer.Option(help="A method to train the same way beside it: vanilla.")] = None,
    out: Annotated[Path | None, typer.Option(help="New folder for the results; default: <file without .yaml>.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Trainings at once; default: one per core, or one on a GPU.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on in a folder that an earlier run left.")] = False,
    overrides: Set = None,
) -> None:
    """Train a configuration on several seeds, then evaluate it on the test set."""
    from groupdir.commands.rerun import report, rerun
    from groupdir.config.trial import TrialConfig

    config = TrialConfig.load(file, overrides or ())
    folder = out or file.with_suffix("")
    runs = rerun(config, seeds=seeds, beside=beside, folder=folder, jobs=jobs, resume=resume)
    report(runs, folder)


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint that `groupdir train` wrote.")],
    split: Annotated[str, typer.Option(help="val or test.")] = "test",
    root: Annotated[str | None, typer.Option(help="Where the data is now, if elsewhere than at training.")] = None,
) -> None:
    """Errors of a checkpoint on a split of its own data set."""
    from groupdir.commands.predict import evaluate_checkpoint

    for name, value in evaluate_checkpoint(checkpoint, split, root).items():
        typer.echo(f"{name:28s} {value:10.4f}")


@app.command()
def predict(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint that `groupdir train` wrote.")],
    inputs: Annotated[
        Path, typer.Argument(metavar="INPUT", help="What the data set reads: pictures, an array, a table.")
    ],
    out: Annotated[Path | None, typer.Option(help="New CSV file; default: the terminal.")] = None,
) -> None:
    """Predictions for new inputs, with the predicted group and the expert used."""
    from groupdir.commands.predict import predict_file, write_csv

    write_csv(predict_file(checkpoint, inputs), out)


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="A trial's or a study's YAML.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of trials and studies instead.")
    ] = False,
    overrides: Set = None,
) -> None:
    """Validate a YAML and say what it would run."""
    from groupdir.commands.describe import describe
    from groupdir.config.schema import schema_text

    if schema:
        typer.echo(schema_text())
    elif file is None:
        raise typer.BadParameter("name a YAML file, or give --schema")
    else:
        typer.echo(describe(file, overrides or ()))


@data_app.command("describe")
def describe_data(
    file: Annotated[Path, typer.Argument(help="A trial's or a search space's YAML.")],
    out: Annotated[Path | None, typer.Option(help="New CSV file with the samples of each label.")] = None,
    overrides: Set = None,
) -> None:
    """How the labels are spread: over splits, over many, median and few, and over groups. No picture is read."""
    from rich.console import Console

    from groupdir.commands.label_counts import count_labels, write_counts
    from groupdir.commands.label_tables import print_counts

    counts = count_labels(file, overrides or ())
    print_counts(counts, Console())
    if out is not None:
        write_counts(counts, out)


@app.command("list")
def list_() -> None:
    """The methods, data sets and encoders, one line each."""
    from groupdir.commands.describe import catalogue

    typer.echo(catalogue())


def main() -> None:
    """Runs a command; a mistake of the user's is its text alone and exit code 2."""
    try:
        app()
    except GroupdirError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
