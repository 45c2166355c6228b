"""`python -m launch`: starts a search here or on a cluster, goes on with one, checks one, or simulates many."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from groupdir.errors import ConfigError, GroupdirError

ClusterOption = Annotated[Path, typer.Option("--cluster", help="A cluster's file, such as cluster.yaml.")]
OnCluster = Annotated[Path | None, typer.Option("--cluster", help="Run on this cluster, and bring the results back.")]

app = typer.Typer(
    help="Search for good trials with Ray Tune.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SkipDoctor = Annotated[
    bool, typer.Option("--skip-doctor", help="Trust a cluster of several nodes, instead of examining it first.")
]


@app.command()
def search(
    file: Annotated[Path, typer.Argument(help="A search space, such as search_spaces/digits.yaml.")],
    changes: Annotated[list[str] | None, typer.Option("--set", help="address=value, replaces a value.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the study [default: results/<its name>].")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and run nothing.")] = False,
    cluster: OnCluster = None,
    skip_doctor: SkipDoctor = False,
) -> None:
    """Run a search from the beginning; of a benchmark, one search for each row."""

    def run() -> int:
        if cluster is not None and not dry_run:
            from launch.cluster.commands import search as run_there

            return run_there(cluster, file, changes or (), out, skip_doctor)
        from groupdir.config.benchmark import is_benchmark
        from groupdir.config.yamlfile import Document

        if is_benchmark(Document.read(file)):
            if dry_run:
                raise ConfigError(
                    f"{file}: is a benchmark, and --dry-run is for one search: see `groupdir check {file}`"
                )
            from launch.benchmark import run_benchmark

            return run_benchmark(file, changes or (), out, skip_doctor=skip_doctor)
        from launch.search import describe
        from launch.search import search as run_search

        if dry_run:
            return describe(file, changes or (), out)
        return run_search(file, changes or (), out, skip_doctor)

    finish(run)


@app.command()
def benchmark(
    file: Annotated[Path, typer.Argument(help="A benchmark, such as search_spaces/baselines/table1_digits.yaml.")],
    changes: Annotated[list[str] | None, typer.Option("--set", help="address=value, replaces a value.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the benchmark [default: results/<its name>].")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Label of a row; may be repeated [default: all].")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Trainings at once on the chosen trials.")] = None,
    skip_doctor: SkipDoctor = False,
) -> None:
    """Search every row of a benchmark with the same budget, then measure its best trial on several seeds; or go on."""
    from launch.benchmark import run_benchmark

    finish(lambda: run_benchmark(file, changes or (), out, only or (), jobs, skip_doctor))


@app.command()
def resume(
    folder: Annotated[str, typer.Argument(help="Folder of a study, such as results/digits; or its place in S3.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of a study that comes from S3 [default: results/<its name>].")
    ] = None,
    cluster: OnCluster = None,
    skip_doctor: SkipDoctor = False,
) -> None:
    """Go on with a search that was interrupted or killed."""

    def run() -> int:
        from groupdir.files.storage import is_uri

        if out is not None and not is_uri(folder):
            raise ConfigError(f"--out {out}: is for a study that comes from s3://..., but {folder} is a folder")
        if cluster is not None:
            from launch.cluster.commands import resume as run_there

            return run_there(cluster, folder, out, skip_doctor)
        from launch.search import resume as run_here

        return run_here(folder, skip_doctor, out)

    finish(run)


@app.command()
def watch(
    folders: Annotated[list[Path], typer.Argument(help="Folder of a study, such as results/digits.")],
    once: Annotated[bool, typer.Option("--once", help="Say where they stand, and end.")] = False,
) -> None:
    """Look on while another process drives a search."""
    from launch.screen.watch import glance
    from launch.screen.watch import watch as run

    finish(lambda: glance(folders) if once else run(folders[0]))


@app.command()
def up(
    cluster: ClusterOption,
    restart: Annotated[bool, typer.Option(help="Whether to start Ray anew where it runs, which ends searches.")] = True,
) -> None:
    """Make a cluster, or bring it up to date: Ray on machines of your own or of a cloud."""
    from launch.cluster.commands import up as run

    finish(lambda: run(cluster, restart))


@app.command()
def status(
    cluster: Annotated[
        Path | None, typer.Option("--cluster", help="A cluster's file [default: this machine is its head].")
    ] = None,
) -> None:
    """Show a cluster's nodes, why trials wait, and where its studies stand."""

    def run() -> int:
        if cluster is not None:
            from launch.cluster.commands import status as run_there

            return run_there(cluster)
        from groupdir.files.study_files import RESULTS
        from launch.cluster.status import status as run_here

        return run_here(Path(RESULTS))

    finish(run)


@app.command()
def attach(
    name: Annotated[str, typer.Argument(help="Name of a search that was sent to the cluster.")],
    cluster: ClusterOption,
    out: Annotated[Path | None, typer.Option(help="Folder for the results [default: results/NAME].")] = None,
) -> None:
    """Come back to a search on a cluster: follow it, and bring its results."""
    from launch.cluster.commands import attach as run

    finish(lambda: run(cluster, name, out))


@app.command()
def down(cluster: ClusterOption) -> None:
    """End a cluster. What is only on its machines goes with machines of a cloud."""
    from launch.cluster.commands import down as run

    finish(lambda: run(cluster))


@app.command()
def doctor(
    file: Annotated[Path, typer.Argument(help="A search space, such as search_spaces/digits.yaml.")],
    changes: Annotated[list[str] | None, typer.Option("--set", help="address=value, replaces a value.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the study [default: results/<its name>].")] = None,
) -> None:
    """Say whether every node of the cluster could run a search: its code, GPUs, data, storage, disks and clock."""
    from launch.doctor.examine import doctor as run

    finish(lambda: run(file, changes or (), out))


@app.command("slurm-script")
def slurm_script(
    file: Annotated[Path, typer.Argument(help="A search space, such as search_spaces/digits.yaml.")],
    nodes: Annotated[int, typer.Option(min=1, help="How many.")] = 2,
    gpus_per_node: Annotated[int, typer.Option(min=0, help="Of each; 0: none is asked for.")] = 0,
    cpus_per_node: Annotated[int, typer.Option(min=1, help="Of each.")] = 8,
    time: Annotated[str, typer.Option(help="As Slurm reads it: 12:00:00, or 2-00:00:00.")] = "12:00:00",
    partition: Annotated[str | None, typer.Option(help="The queue [default: the cluster's].")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the study [default: results/<its name>].")] = None,
) -> None:
    """Print a script for sbatch that searches on a Slurm cluster, and goes on after a preemption."""
    from launch.cluster.slurm import Job
    from launch.cluster.slurm import slurm_script as write

    def run() -> int:
        print(write(file, Job(nodes, gpus_per_node, cpus_per_node, time, partition), out), end="")
        return 0

    finish(run)


@app.command()
def audit(folder: Annotated[Path, typer.Argument(help="Folder of a study, such as results/digits.")]) -> None:
    """Make every suggestion and decision of a study again from its record, and compare."""
    from launch.commands import audit as run

    finish(lambda: run(folder))


@app.command()
def record(
    studies: Annotated[list[Path], typer.Argument(help="Folders of studies over one space.")],
    out: Annotated[Path, typer.Option(help="The Parquet file to write.")],
) -> None:
    """Put the curves of finished trials into one file, for the simulator."""
    from launch.commands import record as run

    finish(lambda: run(studies, out))


@app.command()
def simulate(
    studies: Annotated[list[Path], typer.Argument(help="Folders of studies, or a file that `record` wrote.")],
    workers: Annotated[
        list[int] | None, typer.Option(min=1, help="Trials at once; may be given often [default: 8].")
    ] = None,
    scheduler: Annotated[list[str] | None, typer.Option(help="Such as pareto_asha, or pareto_asha:promote.")] = None,
    sampler: Annotated[list[str] | None, typer.Option(help="Such as tpe or random.")] = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials of each search.")] = 200,
    seeds: Annotated[int, typer.Option(min=1, help="Searches of each kind.")] = 20,
    source: Annotated[str, typer.Option(help="nearest: recorded curves; interpolated: a surrogate.")] = "interpolated",
    crash_rate: Annotated[float, typer.Option(min=0, max=1, help="Probability, per epoch, that a worker dies.")] = 0.0,
    lost_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Probability, per epoch, that a node of 8 workers is lost.")
    ] = 0.0,
    restart_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Probability, per epoch, that the driver is restarted.")
    ] = 0.0,
    out: Annotated[Path, typer.Option(help="Folder of what is written.")] = Path("results/simulation"),
) -> None:
    """Search in virtual time over recorded curves, with the objects of a real search."""
    from launch.commands import Simulated
    from launch.commands import simulate as run

    faults = (crash_rate, lost_rate, restart_rate)
    kinds = Simulated(workers or [8], scheduler or ["pareto_asha"], sampler or ["tpe"], trials, seeds, source, faults)
    finish(lambda: run(studies, kinds, out))


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
