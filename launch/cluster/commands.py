"""Commands on a cluster: `groupdir up | search | resume | status | attach | down --cluster FILE`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from groupdir.command_line.console import say
from groupdir.command_line.next_command import next_command
from groupdir.command_line.program import INTERRUPTED
from groupdir.config.benchmark import load_benchmark
from groupdir.config.file_kind import is_benchmark
from groupdir.config.yamlfile import Document
from groupdir.errors import ConfigError, DataError
from groupdir.files.storage import Place, is_uri
from groupdir.files.study_files import BENCHMARK, EVENT_LOG, RESULTS, results_folder
from groupdir.names import check_name, plain_name
from launch.cluster.cluster_file import ClusterFile
from launch.cluster.jobs import UnknownJob, client, jobs_of, submit
from launch.cluster.known_head import remember_head
from launch.cluster.live import show_job
from launch.cluster.shell import NODE, run
from launch.cluster.tunnel import Tunnel
from launch.on_ray.private import PROCESSES
from launch.study.study import refuse_existing

if TYPE_CHECKING:
    from groupdir.config.space import StudyConfig

RESULTS_ON_HEAD = f"~/groupdir/{RESULTS}"  # in the checkout that `up` copies to the head
# Shell line that stops Ray on a machine, and fails if processes of Ray survive.
STOP = (
    f"{NODE} ray stop --force > /dev/null; for wait in 1 2 3 4 5 6 7 8 9 10; do "
    f"pgrep -u $(id -u) -f '{PROCESSES}' > /dev/null || break; sleep 1; done; "
    f"! pgrep -u $(id -u) -af '{PROCESSES}'"
)
# Shell line that removes what `up` has put on a machine; a machine without node.sh has nothing of it.
REMOVE = f"[ ! -e ~/groupdir/launch/cluster/node.sh ] || {NODE} remove"


def running(cluster: str | Path) -> ClusterFile:
    """Load the file of a cluster that `up` has started, from this machine or from another."""
    file = ClusterFile.load(cluster)
    remember_head(file)
    return file


def up(cluster: str | Path, restart: bool = True) -> int:
    """Start a cluster, or update it.

    Args:
        cluster: File of the cluster.
        restart: Whether to restart Ray where it runs already, which ends all searches.
    """
    file = ClusterFile.load(cluster)
    say("Ray's SSH commands accept any host key, without a check against known_hosts", err=True)
    code = run(["ray", "up", str(file.path), "--yes", *([] if restart else ["--no-restart"])])
    if reminder := still_costs(file):
        say(f"\n{reminder}")
    if code == 0:
        say(f"\nnext: {next_command('search', 'SPACE.yaml', '--cluster', file.path)}")
    return code


def still_costs(file: ClusterFile) -> str:
    """Return a reminder of the machines that cost money until `down`, or an empty text for existing machines."""
    if not file.costs:
        return ""
    return f"these machines cost money until `{next_command('down', '--cluster', file.path)}`: {file.costs}"


def status(cluster: str | Path) -> int:
    """Show the nodes, the reasons why trials wait, the studies on the head, and what costs money."""
    file = running(cluster)
    if reminder := still_costs(file):
        say(reminder)
    return run(["ray", "exec", str(file.path), f"{NODE} ray status && cd ~/groupdir && {NODE} python -m launch status"])


def search(
    cluster: str | Path,
    file: Path,
    changes: Sequence[str],
    out: Path | None,
    skip_doctor: bool = False,
    quiet: bool = False,
) -> int:
    """Run a search on a cluster and fetch its results. A benchmark with results here is continued.

    Raises:
        GroupdirError: If a file has mistakes, results exist here already, or the cluster does not answer or refuses.
    """
    ClusterFile.load(cluster)
    inside = within_checkout(file)
    name = check_shared(file, changes)
    here = results_folder(name, out)
    benchmark = is_benchmark(Document.read(file))
    if not (benchmark and (here / BENCHMARK).is_file()):
        refuse_existing(here)
    command = ["python", "-m", "launch", "search", str(inside), *(f"--set={change}" for change in changes)]
    command += ["--skip-doctor"] * skip_doctor + ["--quiet"] * quiet
    typed = [*command[3:], "--cluster", cluster, *(["--out", out] if out else [])]
    again = next_command(*typed) if benchmark else None
    return _submit(running(cluster), [*command, "--out", _on_head(here)], here, again)


def resume(
    cluster: str | Path, folder: str, out: Path | None = None, skip_doctor: bool = False, quiet: bool = False
) -> int:
    """Resume a study on the head of a cluster, or one in a storage whose head was lost.

    Args:
        cluster: File of the cluster.
        folder: Folder for the results here, whose name is that of the study on the head; or the study's place in its
            storage, from which the head rebuilds the folder.
        out: Folder for the results of a study from a storage; by default `results/<its name>`.
        skip_doctor: Whether to skip the examination of the cluster.
        quiet: Print no progress of the search.

    Raises:
        GroupdirError: If the cluster does not answer or refuses.
    """
    command = ["python", "-m", "launch", "resume"]
    if is_uri(folder):
        here = results_folder(Place.at(folder).name, out)
        command += [folder, "--out", _on_head(here)]
    else:
        here = Path(folder)
        if (here / BENCHMARK).is_file():
            raise ConfigError(f"{here}: is a benchmark: continue it by the same `groupdir search` command as before")
        command += [_on_head(here)]
    return _submit(running(cluster), [*command, *["--skip-doctor"] * skip_doctor, *["--quiet"] * quiet], here)


def attach(cluster: str | Path, name: str, out: Path | None) -> int:
    """Follow a search that runs or has ended, and fetch its results."""
    here = results_folder(_named(name), out)
    file = running(cluster)
    with Tunnel(file) as address:
        server = client(address)
        jobs = jobs_of(server, name)
        if not jobs:
            known = sorted({job.metadata["study"] for job in jobs_of(server) if job.metadata})
            raise DataError(
                f"{name}: must be a search of this cluster, which knows {', '.join(known) or 'none'}. If the head was "
                f"restarted: {_resume(file, here)}; for a benchmark, run its `search` again"
            )
        again = (jobs[-1].metadata or {}).get("again")
        return _follow(file, str(jobs[-1].submission_id), here, address, again)


def down(cluster: str | Path, keep_environment: bool = False) -> int:
    """Shut a cluster down. On machines of your own, stop every Ray process, and remove what `up` has put there.

    Args:
        cluster: File of the cluster.
        keep_environment: Whether to leave the environment and the copy of the checkout, so that the next `up` is quick.
    """
    file = running(cluster)
    code = run(["ray", "down", str(file.path), "--yes"])
    if not file.is_local:
        return code
    logins = [file.login(file.content["provider"]["head_ip"], head=True), *map(file.login, file.workers)]
    line = f"{{ {STOP}; }} && {{ {REMOVE}{' --keep' * keep_environment}; }}"
    alive = [
        login[-1]
        for login in logins
        if run([*login[:-1], "-tt", login[-1], f'bash --login -i -c "{_escaped(line)}"']) != 0
    ]
    if alive:
        say(f"not stopped or not reached: {', '.join(alive)}: see above, and run this again", err=True)
    return 1 if alive else 0


def within_checkout(file: Path) -> Path:
    """Return the path of a file relative to the checkout, which is copied to the cluster.

    Raises:
        ConfigError: If the current folder is no checkout, or the file is outside of it.
    """
    here = Path.cwd()
    if not (here / "launch").is_dir():
        raise ConfigError(
            f"{here}: must be the checkout, which is copied to the cluster, but has no launch/: change to the checkout"
        )
    path = file.absolute()
    if not path.is_relative_to(here):
        raise ConfigError(
            f"{file}: must be in {here}, which is copied to the cluster: copy the file into search_spaces/"
        )
    return path.relative_to(here)


def check_shared(file: Path, changes: Sequence[str]) -> str:
    """Refuse a search whose checkpoints no other node could read.

    Returns:
        Name of the study or benchmark.

    Raises:
        ConfigError: If the file has mistakes, or names no shared place for checkpoints.
    """
    from groupdir.config.space import load_space

    studies: list[StudyConfig]
    if is_benchmark(Document.read(file)):
        benchmark = load_benchmark(file, changes)
        name, studies = benchmark.name, [row.study for row in benchmark.rows if row.study is not None]
    else:
        studies = [load_space(file, changes)]
        name = studies[0].name
    for study in studies:
        if study.search.storage_path is None:
            text = "must be a folder that all nodes share, such as /mnt/shared/groupdir, or s3://bucket/folder, from"
            text += " which a trial resumes if its node is lost; got null: --set search.storage_path=..."
            raise ConfigError([study.mistake("search.storage_path", text)])
    return name


def _on_head(here: Path) -> str:
    """Return the folder of a study on the head, whose name no shell and no rsync can misread.

    Raises:
        ConfigError: If the folder's name cannot be that of a study.
    """
    return f"{RESULTS_ON_HEAD}/{plain_name(_named(here.name))}"


def _named(name: str) -> str:
    """Return the name of a study.

    Raises:
        ConfigError: If a study cannot have the name.
    """
    try:
        return check_name(name)
    except ValueError as error:
        raise ConfigError(f"the name of a study {error}") from error


def _resume(file: ClusterFile, here: Path) -> str:
    """Return the command that resumes a study."""
    return next_command("resume", here, "--cluster", file.path)


def _attach(file: ClusterFile, name: str) -> str:
    """Return the command that follows a search again."""
    return next_command("attach", name, "--cluster", file.path)


def _submit(file: ClusterFile, words: Sequence[str], here: Path, again: str | None = None) -> int:
    """Submit a command as a job and follow it, unless the study has a running job.

    Args:
        file: File of the cluster.
        words: Words of the command.
        here: Folder for the results.
        again: Command that continues the work, if `resume` does not.
    """
    name = here.name
    with Tunnel(file) as address:
        running = [job for job in jobs_of(client(address), name) if not job.status.is_terminal()]
        if running:
            attach = _attach(file, name)
            raise DataError(f"{name}: a search of this name runs already ({running[-1].submission_id}): {attach}")
        job = submit(address, name, words, again or _resume(file, here))
        say(
            f"{job} runs on the cluster and does not need this machine any more. Follow it again with\n"
            f"  {_attach(file, name)}\n"
            f"Stop it early with\n  {shlex.join(['ray', 'exec', str(file.path), f'{NODE} ray job stop {job}'])}",
        )
        return _follow(file, job, here, address, again)


def _follow(file: ClusterFile, job: str, here: Path, address: str, again: str | None) -> int:
    """Follow a job to its end, then fetch the results.

    Returns:
        Exit code of the search.
    """
    try:
        ended = show_job(file, job, address)
    except UnknownJob as error:
        raise DataError(f"{error} Continue with: {again or _resume(file, here)}") from error
    except KeyboardInterrupt:
        say(f"\nthe search continues; follow it again with: {_attach(file, here.name)}")
        return INTERRUPTED
    code = 0 if ended.status == "SUCCEEDED" else ended.driver_exit_code or 1
    here.mkdir(parents=True, exist_ok=True)
    remove_logs(here)
    fetched = run(["ray", "rsync-down", str(file.path), f"{_on_head(here)}/", f"{here}/"])
    if fetched != 0:
        with suppress(OSError):
            here.rmdir()  # an empty folder would block the next search
        say(
            f"no results were fetched. A refused search has none; those of any other search are still on the head in "
            f"{_on_head(here)}: {_attach(file, here.name)}",
            err=True,
        )
        return code or fetched
    benchmark = (here / BENCHMARK).is_file()
    look = next_command("benchmark-table", here) if benchmark else next_command("select", here, "--shot", "few")
    say(f"\nthe results are in {here}: {look}")
    if reminder := still_costs(file):
        say(reminder)
    return code


def remove_logs(folder: Path) -> None:
    """Remove old files of SQLite next to the event log, before a new event log is fetched.

    A driver that was killed leaves them. SQLite would apply them to the new event log. The studies of a benchmark are
    in subfolders, and those of its blocks in their subfolders.
    """
    for depth in ("", "*/", "*/*/"):
        for path in folder.glob(f"{depth}{EVENT_LOG}-*"):
            path.unlink()


def _escaped(line: str) -> str:
    """Escape a line for double quotes in another shell."""
    return line.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
