"""Command `groupdir` with all verbs of the project. Verbs that need torch import it when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from groupdir.command_line.checkout import find_checkout
from groupdir.command_line.console import new_console, say
from groupdir.command_line.next_command import next_command
from groupdir.command_line.program import (
    JsonOption,
    Panel,
    QuietOption,
    SetOption,
    Verbs,
    new_group,
    new_program,
    print_json,
    run,
)
from groupdir.errors import ConfigError
from groupdir.registry import PROGRAMS, load_from_checkout

HELP = """Train, search and choose models for imbalanced regression.

Start with: groupdir search search_spaces/digits.yaml
"""
NO_CHECKOUT = (
    "Only the verbs for a single configuration are installed. To search and to read studies, clone the project and run "
    "`pip install -e .` in its folder."
)


class InstalledVerbs(Verbs):
    """Group of verbs of an installation without a checkout."""

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """Return the command of a verb.

        Raises:
            ConfigError: If this installation does not have the verb.
        """
        command = super().get_command(ctx, cmd_name)
        if command is None and not ctx.resilient_parsing:
            raise ConfigError(f"groupdir {cmd_name}: this installation has no such verb. {NO_CHECKOUT}")
        return command


CHECKOUT = find_checkout()
app = new_program(
    HELP if CHECKOUT else f"{HELP}\n{NO_CHECKOUT}", cls=Verbs if CHECKOUT else InstalledVerbs, completion=True
)
data_app = new_group("Look at a data set.")


@app.command(rich_help_panel=Panel.RUN)
def train(
    file: Annotated[Path, typer.Argument(help="YAML of a trial, such as results/digits/best_few.yaml.")],
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds. No search has used them.")] = 1,
    same_seed: Annotated[
        bool, typer.Option("--same-seed", help="Train the seed of the file only, which repeats the trial of a search.")
    ] = False,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            help="Configuration to compare with: YAML of a trial, folder of a study, or name of a method such as "
            "vanilla, which is then untuned. Repeat the option for more.",
            show_default="none",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="New folder for the results.", show_default="FILE without .yaml")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Number of trainings at the same time.", show_default="one per core, or one on a GPU"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue in the folder of an interrupted run.")] = False,
    overrides: SetOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train configurations on several seeds, then evaluate them on the test set."""
    from groupdir.commands.data_concerns import trial_concerns
    from groupdir.commands.measured import report
    from groupdir.commands.plans import plans_beside
    from groupdir.commands.rerun import rerun
    from groupdir.config.trial import TrialConfig

    config = TrialConfig.load(file, overrides or ())
    for concern in trial_concerns(config):
        say(f"warning: {concern.address}: {concern.text}", err=True)
    plans = plans_beside(config, file, beside or ())
    folder, command = out or file.with_suffix(""), next_command("train", file)
    again = ["train", file, *(word for text in overrides or () for word in ("--set", text))]
    options: list[object] = ["--same-seed"] if same_seed else ["--seeds", seeds]
    options += [word for name in beside or () for word in ("--beside", name)]
    options += [] if out is None else ["--out", out]
    options += [] if jobs is None else ["--jobs", jobs]
    runs = rerun(
        plans,
        seeds=seeds,
        folder=folder,
        command=command,
        again=next_command(*again, *options, *["--quiet"] * quiet, "--resume"),
        jobs=jobs,
        resume=resume,
        same_seed=same_seed,
        quiet=quiet,
    )
    report(plans, runs, folder, again)


CodeOption = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        help="Import classes that the checkpoint names from the current folder too. Only for checkpoints you trust.",
    ),
]


@app.command(rich_help_panel=Panel.CHECKPOINT)
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint that `groupdir train` wrote.")],
    split: Annotated[str, typer.Option(help="Split of the data set: val or test.")] = "test",
    root: Annotated[
        str | None, typer.Option(help="Folder of the data, if it has moved.", show_default="as in training")
    ] = None,
    allow_code: CodeOption = False,
) -> None:
    """Print the errors of a checkpoint on a split of its data set."""
    from groupdir.commands.predict import evaluate_checkpoint

    evaluation = evaluate_checkpoint(checkpoint, split, root, allow_code)
    for name, value in evaluation.metrics.items():
        typer.echo(f"{name:28s} {value:10.4f}")
    if evaluation.readers is not None:
        say(evaluation.readers)
    if evaluation.warning is not None:
        say(f"warning: {evaluation.warning}", err=True)


@app.command(rich_help_panel=Panel.CHECKPOINT)
def predict(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint that `groupdir train` wrote.")],
    inputs: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Inputs for the data set: pictures, an array or a table.")
    ],
    out: Annotated[Path | None, typer.Option(help="New CSV file.", show_default="the terminal")] = None,
    allow_code: CodeOption = False,
) -> None:
    """Predict the labels of new inputs, and with groups also the group and the value of its expert."""
    from groupdir.commands.predict import predict_file, write_csv

    write_csv(predict_file(checkpoint, inputs, allow_code), out)


@app.command("list", rich_help_panel=Panel.INSPECT)
def list_(json: JsonOption = False) -> None:
    """List methods, losses, data sets, encoders and presets, one line each."""
    from groupdir.commands.catalogue import load_catalogue

    catalogue = load_catalogue()
    if json:
        print_json(catalogue.to_json())
    else:
        say(catalogue.text())


@app.command(rich_help_panel=Panel.INSPECT)
def check(
    file: Annotated[
        Path | None,
        typer.Argument(help="YAML of a trial, a search space or a benchmark.", show_default="none, with --schema"),
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of trials and search spaces instead.")
    ] = False,
    overrides: SetOption = None,
) -> None:
    """Validate a YAML file and the labels of its data, and describe what it would run."""
    if schema:
        from groupdir.config.schema import schema_text

        typer.echo(schema_text())
        return
    if file is None:
        raise typer.BadParameter("name a YAML file, or give --schema")
    from groupdir.commands.describe import describe
    from groupdir.commands.loaded import load_file
    from groupdir.commands.prestart import notes_text, refuse_loaded

    loaded = load_file(file, overrides or ())
    say(describe(loaded) + notes_text(refuse_loaded(loaded)))


app.add_typer(data_app, name="data", rich_help_panel=Panel.INSPECT)


@data_app.command("describe")
def describe_data(
    file: Annotated[Path, typer.Argument(help="YAML of a trial or a search space.")],
    out: Annotated[
        Path | None, typer.Option(help="New CSV file for the number of samples of each label.", show_default="none")
    ] = None,
    overrides: SetOption = None,
) -> None:
    """Count the labels of each split, shot and group. No picture is read."""
    from groupdir.commands.label_counts import count_labels, write_counts
    from groupdir.commands.label_tables import print_counts

    counts = count_labels(file, overrides or ())
    print_counts(counts, new_console())
    if out is not None:
        write_counts(counts, out)


@data_app.command("check")
def check_data_set(
    file: Annotated[Path, typer.Argument(help="YAML of a trial or a search space.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 1 if samples match, or could not be compared.")
    ] = False,
    overrides: SetOption = None,
) -> int:
    """Find samples of val and test that are equal, nearly equal or related to samples of another split."""
    from groupdir.commands.data_check import check_data, print_check

    check = check_data(file, overrides or ())
    print_check(check, new_console())
    return int(strict and not check.clean)


if CHECKOUT is not None:
    for target in PROGRAMS:
        program = load_from_checkout(CHECKOUT, target)
        assert isinstance(program, typer.Typer)
        app.add_typer(program)


def main() -> None:
    """Run the command line."""
    run(app, "groupdir")


if __name__ == "__main__":
    main()
