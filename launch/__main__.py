"""`python -m launch`: search here or on a cluster, follow and resume searches, check and simulate them.

Every verb is also a verb of the installed command `groupdir`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from groupdir.command_line.console import say
from groupdir.command_line.next_command import next_command
from groupdir.command_line.program import Panel, QuietOption, SetOption, new_program, run
from groupdir.errors import ConfigError
from groupdir.rules import RULES, known_rule
from launch.cluster.verbs import SkipDoctorOption
from launch.cluster.verbs import app as cluster_app

app = new_program("Search for good trials with Ray Tune.")

SpaceArgument = Annotated[Path, typer.Argument(help="A search space, such as search_spaces/digits.yaml.")]
StudyArgument = Annotated[Path, typer.Argument(help="Folder of a study, such as results/digits.")]
OutOption = Annotated[Path | None, typer.Option(help="Folder of the study.", show_default="results/NAME")]
OnClusterOption = Annotated[
    Path | None,
    typer.Option("--cluster", help="Run on this cluster and fetch the results.", show_default="none: run here"),
]


def _rules(values: list[str] | None) -> list[str]:
    """Return the names of rules without duplicates.

    Raises:
        BadParameter: If a name is not that of a rule.
    """
    try:
        return list(dict.fromkeys(map(known_rule, values or [])))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def runs_here(cluster: Path | None) -> bool:
    """Return whether a search will run on this machine alone, so that it must have the resources of a trial."""
    return cluster is None and not os.environ.get("RAY_ADDRESS")


@app.command(rich_help_panel=Panel.RUN)
def search(
    file: SpaceArgument,
    changes: SetOption = None,
    out: OutOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and run nothing.")] = False,
    cluster: OnClusterOption = None,
    skip_doctor: SkipDoctorOption = False,
    quiet: QuietOption = False,
) -> int:
    """Start a search. A benchmark file starts one search for each row."""
    if cluster is not None and not dry_run:
        from launch.cluster.commands import search as search_on_cluster

        return search_on_cluster(cluster, file, changes or (), out, skip_doctor, quiet)
    from groupdir.config.file_kind import is_benchmark
    from groupdir.config.yamlfile import Document

    if is_benchmark(Document.read(file)):
        if dry_run:
            other = next_command("benchmark", file, "--dry-run")
            raise ConfigError(f"{file}: is a benchmark, and --dry-run is for one search: see `{other}`")
        from launch.benchmark import run_benchmark

        return run_benchmark(file, changes or (), out, skip_doctor=skip_doctor, quiet=quiet)
    if dry_run:
        from groupdir.commands.prestart import notes_text, refuse_plan
        from groupdir.config.space import load_space
        from groupdir.files.study_files import results_folder
        from launch.screen.plan import plan

        config = load_space(file, changes or ())
        text = plan(config, results_folder(config.name, out))
        say(text + notes_text(refuse_plan(config, config.document, here=runs_here(cluster))))
        return 0
    from launch.search import search as search_here

    return search_here(file, changes or (), out, skip_doctor, quiet)


@app.command(rich_help_panel=Panel.RUN)
def benchmark(
    file: Annotated[Path, typer.Argument(help="A benchmark, such as search_spaces/baselines/table1_digits.yaml.")],
    changes: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the benchmark.", show_default="results/NAME")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Label of a row to run; may be repeated.", show_default="all rows")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of trainings of chosen trials at the same time.",
            show_default="one per core, or one on a GPU",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and run nothing.")] = False,
    detect: Annotated[
        float | None,
        typer.Option(
            help="Print how many replications show a true difference of this size in the metric benchmark.select.",
            show_default="none",
        ),
    ] = None,
    noise_from: Annotated[
        Path | None,
        typer.Option(
            help="Folder or pack of an earlier benchmark from which the noise between blocks is taken.",
            show_default="the finished blocks of this benchmark",
        ),
    ] = None,
    skip_doctor: SkipDoctorOption = False,
    quiet: QuietOption = False,
) -> int:
    """Search every row of a benchmark with one budget, then measure each row's choice on several seeds.

    With benchmark.replications, all of this is repeated in blocks, so that rows can be compared.

    Give the same command again to continue a benchmark that was interrupted.
    """
    if detect is not None and detect <= 0:
        raise ConfigError(f"--detect {detect:g}: must be a difference above 0")
    from launch.benchmark import plan_benchmark, run_benchmark

    if dry_run:
        say(plan_benchmark(file, changes or (), out, noise_from, detect))
        return 0
    return run_benchmark(file, changes or (), out, only or (), jobs, skip_doctor, quiet, noise_from, detect)


@app.command(rich_help_panel=Panel.RUN)
def resume(
    folder: Annotated[str, typer.Argument(help="Folder of a study, such as results/digits, or its place in S3.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of a study that comes from S3.", show_default="results/NAME")
    ] = None,
    cluster: OnClusterOption = None,
    skip_doctor: SkipDoctorOption = False,
    quiet: QuietOption = False,
) -> int:
    """Continue a search that was interrupted or killed."""
    from groupdir.files.storage import is_uri

    if out is not None and not is_uri(folder):
        raise ConfigError(f"--out {out}: is for a study that comes from s3://..., but {folder} is a folder")
    if cluster is not None:
        from launch.cluster.commands import resume as resume_on_cluster

        return resume_on_cluster(cluster, folder, out, skip_doctor, quiet)
    from launch.search import resume as resume_here

    return resume_here(folder, skip_doctor, out, quiet)


@app.command(rich_help_panel=Panel.RUN)
def confirm(
    folder: StudyArgument,
    trainings: Annotated[
        int | None,
        typer.Option(min=1, help="Largest number of trainings.", show_default="from search.confirm.share"),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            callback=_rules,
            metavar=f"[{'|'.join(RULES)}]",
            help="Rule whose choice is confirmed; may be repeated.",
            show_default="search.confirm.rules, or those of the objectives",
        ),
    ] = None,
    skip_doctor: SkipDoctorOption = False,
    quiet: QuietOption = False,
) -> int:
    """Train the configurations that may be the best again on fresh seeds, which makes the choice surer.

    A confirmation that was interrupted is continued, with its own options.
    """
    from launch.search import confirm as confirm_here

    return confirm_here(folder, trainings, rule or (), skip_doctor, quiet)


@app.command(rich_help_panel=Panel.RUN)
def repair(folder: StudyArgument) -> int:
    """Repair a damaged study: keep intact files and events, rename damaged files, and write the tables again.

    The folder of a benchmark, or of `groupdir train`, can be repaired too.
    """
    from launch.study.repair import repair as repair_study

    if not repair_study(folder, print):
        say(f"{folder}: nothing is damaged")
    return 0


@app.command(rich_help_panel=Panel.RUN)
def watch(
    folders: Annotated[list[Path], typer.Argument(help="Folder of a study, such as results/digits.")],
    once: Annotated[bool, typer.Option("--once", help="Print where each study stands, then exit.")] = False,
) -> int:
    """Follow a search that another process runs."""
    from launch.screen.watch import glance
    from launch.screen.watch import watch as follow

    return glance(folders) if once else follow(folders[0])


@app.command(rich_help_panel=Panel.SIMULATE)
def audit(folder: StudyArgument) -> int:
    """Replay a study from its event log and check that every decision comes out the same."""
    from launch.commands import audit as audit_study

    return audit_study(folder)


@app.command(rich_help_panel=Panel.SIMULATE)
def simulate(
    studies: Annotated[list[Path], typer.Argument(help="Folders of studies, or a file of `groupdir export-curves`.")],
    workers: Annotated[
        list[int] | None, typer.Option(min=1, help="Number of trials at once; may be repeated.", show_default="8")
    ] = None,
    scheduler: Annotated[
        list[str] | None,
        typer.Option(help="Such as pareto_asha:promote; may be repeated.", show_default="pareto_asha"),
    ] = None,
    sampler: Annotated[
        list[str] | None, typer.Option(help="Such as random; may be repeated.", show_default="hypervolume")
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Number of trials in each search.")] = 200,
    seeds: Annotated[int, typer.Option(min=1, help="Number of searches of each kind.")] = 20,
    source: Annotated[
        str, typer.Option(help="nearest: the nearest trial of a study; interpolated: a model of all trials.")
    ] = "interpolated",
    crash_rate: Annotated[float, typer.Option(min=0, max=1, help="Probability, per epoch, that a worker dies.")] = 0.0,
    lost_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Probability, per epoch, that a node of 8 workers is lost.")
    ] = 0.0,
    restart_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Probability, per epoch, that the driver is restarted.")
    ] = 0.0,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("results/simulation"),
    quiet: QuietOption = False,
) -> int:
    """Simulate searches in virtual time on the learning curves of earlier studies."""
    from launch.commands import simulate as run_simulations
    from launch.simulation.kinds import Kinds

    faults = (crash_rate, lost_rate, restart_rate)
    samplers, schedulers = sampler or ["hypervolume"], scheduler or ["pareto_asha"]
    kinds = Kinds(workers or [8], schedulers, samplers, trials, seeds, source, faults)
    return run_simulations(studies, kinds, out, quiet)


@app.command("export-curves", rich_help_panel=Panel.SIMULATE)
def export_curves(
    studies: Annotated[list[Path], typer.Argument(help="Folders of studies over one search space.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
) -> int:
    """Write the learning curves of finished trials into one file, for `groupdir simulate`."""
    from launch.commands import export_curves as export

    return export(studies, out)


app.add_typer(cluster_app)


def main() -> None:
    """Run the command line."""
    run(app, "python -m launch")


if __name__ == "__main__":
    main()
