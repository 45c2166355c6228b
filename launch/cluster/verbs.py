"""The verbs for clusters: make one, look at it, come back to a search on it, end it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from groupdir.command_line.program import JsonOption, Panel, SetOption, new_program
from groupdir.errors import ConfigError

app = new_program("Run searches on a cluster.")

ClusterOption = Annotated[Path, typer.Option("--cluster", help="File of a cluster, such as cluster.yaml.")]
SkipDoctorOption = Annotated[
    bool, typer.Option("--skip-doctor", help="Do not examine the nodes of a cluster before the search.")
]
SpaceArgument = Annotated[Path, typer.Argument(help="A search space, such as search_spaces/digits.yaml.")]
OutOption = Annotated[Path | None, typer.Option(help="Folder of the study.", show_default="results/NAME")]


@app.command(rich_help_panel=Panel.CLUSTER)
def doctor(file: SpaceArgument, changes: SetOption = None, out: OutOption = None) -> int:
    """Check that every node can run a search: its code, GPUs, data, storage, disks and clock."""
    from launch.doctor.examine import doctor as examine

    return examine(file, changes or (), out)


@app.command(rich_help_panel=Panel.CLUSTER)
def up(
    cluster: ClusterOption,
    restart: Annotated[
        bool, typer.Option(help="Restart Ray where it runs already, which ends running searches.")
    ] = True,
) -> int:
    """Make a cluster, or bring it up to date: Ray on your own machines or on a cloud's."""
    from launch.cluster.commands import up as make

    return make(cluster, restart)


@app.command(rich_help_panel=Panel.CLUSTER)
def status(
    cluster: Annotated[
        Path | None,
        typer.Option("--cluster", help="File of a cluster.", show_default="none: this machine is the head"),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Show a cluster's nodes, why trials wait, and where its studies stand."""
    if cluster is not None:
        if json:
            raise ConfigError(f"--json: is not available with --cluster {cluster}: run it on the head")
        from launch.cluster.commands import status as status_of_cluster

        return status_of_cluster(cluster)
    from groupdir.files.study_files import RESULTS
    from launch.cluster.status import status as status_here

    return status_here(Path(RESULTS), json)


@app.command(rich_help_panel=Panel.CLUSTER)
def attach(
    name: Annotated[str, typer.Argument(help="Name of a search on the cluster.")],
    cluster: ClusterOption,
    out: Annotated[Path | None, typer.Option(help="Folder for the results.", show_default="results/NAME")] = None,
) -> int:
    """Follow a search on a cluster and fetch its results."""
    from launch.cluster.commands import attach as follow

    return follow(cluster, name, out)


@app.command(rich_help_panel=Panel.CLUSTER)
def down(
    cluster: ClusterOption,
    keep_environment: Annotated[
        bool,
        typer.Option(
            "--keep-environment", help="On your own machines, leave groupdir's environment there for the next `up`."
        ),
    ] = False,
) -> int:
    """Stop a cluster and remove what `up` installed. A cloud's disks are deleted: fetch results first."""
    from launch.cluster.commands import down as stop

    return stop(cluster, keep_environment)


@app.command("slurm-script", rich_help_panel=Panel.CLUSTER)
def slurm_script(
    file: SpaceArgument,
    nodes: Annotated[int, typer.Option(min=1, help="Number of nodes.")] = 2,
    gpus_per_node: Annotated[int, typer.Option(min=0, help="GPUs of each node; 0 requests none.")] = 0,
    cpus_per_node: Annotated[int, typer.Option(min=1, help="CPUs of each node.")] = 8,
    time: Annotated[str, typer.Option(help="Time limit as Slurm writes it: 12:00:00 or 2-00:00:00.")] = "12:00:00",
    partition: Annotated[str | None, typer.Option(help="Queue.", show_default="the cluster's")] = None,
    account: Annotated[str | None, typer.Option(help="Account that pays.", show_default="yours")] = None,
    qos: Annotated[str | None, typer.Option(help="Quality of service.", show_default="the cluster's")] = None,
    mem: Annotated[str | None, typer.Option(help="Memory of each node: 64G.", show_default="the cluster's")] = None,
    constraint: Annotated[
        str | None, typer.Option(help="Features of the nodes, such as a100&ib.", show_default="any")
    ] = None,
    module: Annotated[
        list[str] | None, typer.Option(help="Module to load; may be repeated.", show_default="none")
    ] = None,
    container: Annotated[
        str | None, typer.Option(help="Image in which apptainer runs the search.", show_default="none")
    ] = None,
    interface: Annotated[
        str | None,
        typer.Option(
            help="Network interface of the nodes, such as ib0.", show_default="the address of the nodes' names"
        ),
    ] = None,
    out: OutOption = None,
) -> None:
    """Print a script for sbatch that searches on a Slurm cluster and resumes after a preemption."""
    from launch.cluster.slurm import Job, Site
    from launch.cluster.slurm import slurm_script as write

    job = Job(nodes, gpus_per_node, cpus_per_node, time, partition, account, qos, mem, constraint)
    typer.echo(write(file, job, out, Site(module or (), container, interface)), nl=False)
