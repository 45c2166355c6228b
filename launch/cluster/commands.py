"""What `groupdir up | search | resume | status | attach | down --cluster FILE` do."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from groupdir.command_line.next_command import next_command
from groupdir.command_line.program import INTERRUPTED
from groupdir.config.benchmark import is_benchmark, load_benchmark
from groupdir.config.yamlfile import Document
from groupdir.errors import ConfigError, DataError
from groupdir.files.storage import Place, is_uri
from groupdir.files.study_files import BENCHMARK, EVENT_LOG, RESULTS, results_folder
from launch.cluster.cluster_file import ClusterFile
from launch.cluster.jobs import UnknownJob, client, jobs_of, submit
from launch.cluster.known_head import remember_head
from launch.cluster.live import show_job
from launch.cluster.shell import run
from launch.cluster.tunnel import Tunnel
from launch.on_ray.private import PROCESSES
from launch.study.study import refuse_existing

if TYPE_CHECKING:
    from groupdir.config.space import StudyConfig

THERE = f"~/groupdir/{RESULTS}"  # on the head, in the checkout that `up` copies
# Ends Ray on a machine, and fails where some of it still runs.
STOP = (
    "ray stop --force > /dev/null; for wait in 1 2 3 4 5 6 7 8 9 10; do "
    f"pgrep -u $(id -u) -f '{PROCESSES}' > /dev/null || exit 0; sleep 1; done; "
    f"pgrep -u $(id -u) -af '{PROCESSES}'; exit 1"
)


def running(cluster: str | Path) -> ClusterFile:
    """A cluster that `up` has made, from here or from elsewhere."""
    file = ClusterFile.load(cluster)
    remember_head(file)
    return file


def up(cluster: str | Path, restart: bool = True) -> int:
    """Makes a cluster, or brings it up to date.

    Args:
        cluster: Its file.
        restart: Whether Ray is started anew where it runs, which ends all searches.
    """
    file = ClusterFile.load(cluster)
    code = run(["ray", "up", str(file.path), "--yes", *([] if restart else ["--no-restart"])])
    if code == 0:
        print(f"\nnext: {next_command('search', 'SPACE.yaml', '--cluster', file.path)}")
    return code


def status(cluster: str | Path) -> int:
    """Shows the nodes, why trials wait, and the studies on the head."""
    file = running(cluster)
    return run(["ray", "exec", str(file.path), "ray status && cd ~/groupdir && python -m launch status"])


def search(
    cluster: str | Path,
    file: Path,
    changes: Sequence[str],
    out: Path | None,
    skip_doctor: bool = False,
    quiet: bool = False,
) -> int:
    """Runs a search on a cluster and brings its results back; a benchmark that is there already is gone on with.

    Raises:
        GroupdirError: A mistake in a file; results are there already; the cluster does not answer or take it.
    """
    ClusterFile.load(cluster)
    inside = within_checkout(file)
    name = check_shared(file, changes)
    here = results_folder(name, out)
    benchmark = is_benchmark(Document.read(file))
    if not (benchmark and (here / BENCHMARK).is_file()):
        refuse_existing(here)
    words = ["python", "-m", "launch", "search", str(inside), *(f"--set={change}" for change in changes)]
    words += ["--skip-doctor"] * skip_doctor + ["--quiet"] * quiet
    typed = [*words[3:], "--cluster", cluster, *(["--out", out] if out else [])]
    again = next_command(*typed) if benchmark else None
    return _submit(running(cluster), [*words, "--out", f"{THERE}/{here.name}"], here, again)


def resume(
    cluster: str | Path, folder: str, out: Path | None = None, skip_doctor: bool = False, quiet: bool = False
) -> int:
    """Goes on with a study that lies on the head, under the name of a folder here; or in its storage, after a head.

    Args:
        cluster: The cluster's file.
        folder: Where the results are, or will be; or the study's place in its storage, from which the head makes its
            folder anew.
        out: Folder for the results of a study that comes from its storage; by default `results/<its name>`.
        skip_doctor: Whether the cluster is trusted, not examined.
        quiet: Print no progress of the search.

    Raises:
        GroupdirError: The cluster does not answer or take it.
    """
    words = ["python", "-m", "launch", "resume"]
    if is_uri(folder):
        here = results_folder(Place.at(folder).name, out)
        words += [shlex.quote(folder), "--out", f"{THERE}/{here.name}"]
    else:
        here = Path(folder)
        if (here / BENCHMARK).is_file():
            raise ConfigError(f"{here}: is a benchmark: continue with `groupdir search` of its file, as you began it")
        words += [f"{THERE}/{here.name}"]
    return _submit(running(cluster), [*words, *["--skip-doctor"] * skip_doctor, *["--quiet"] * quiet], here)


def attach(cluster: str | Path, name: str, out: Path | None) -> int:
    """Follows a search that runs, or has ended, and brings its results back."""
    file = running(cluster)
    here = results_folder(name, out)
    with Tunnel(file) as address:
        server = client(address)
        jobs = jobs_of(server, name)
        if not jobs:
            known = sorted({job.metadata["study"] for job in jobs_of(server) if job.metadata})
            raise DataError(
                f"{name}: must be a search of this cluster, but it knows {', '.join(known) or 'none'}; where the head "
                f"was started anew: {_resume(file, here)}, or of a benchmark its `search` once more"
            )
        again = (jobs[-1].metadata or {}).get("again")
        return _follow(file, str(jobs[-1].submission_id), here, address, again)


def down(cluster: str | Path) -> int:
    """Ends a cluster; of one's own machines, every Ray process on them."""
    file = running(cluster)
    code = run(["ray", "down", str(file.path), "--yes"])
    if not file.is_local:
        return code
    logins = [file.login(file.content["provider"]["head_ip"], head=True), *map(file.login, file.workers)]
    left = [
        login[-1]
        for login in logins
        if run([*login[:-1], "-tt", login[-1], f'bash --login -i -c "{_escaped(STOP)}"']) != 0
    ]
    if left:
        print(f"not ended, or not reached: {', '.join(left)}: see above, and run this again", file=sys.stderr)
    return 1 if left else 0


def within_checkout(file: Path) -> Path:
    """A file's path from here: the folder in which this runs is what the cluster gets.

    Raises:
        ConfigError: It lies elsewhere.
    """
    here = Path.cwd()
    if not (here / "launch").is_dir():
        raise ConfigError(f"{here}: must be the checkout, which is sent to the cluster, but has no launch/: go there")
    path = file.absolute()
    if not path.is_relative_to(here):
        raise ConfigError(f"{file}: must be in {here}, which is sent to the cluster: copy it into search_spaces/")
    return path.relative_to(here)


def check_shared(file: Path, changes: Sequence[str]) -> str:
    """Refuses a search whose checkpoints no other node could read.

    Returns:
        The study's name, or the benchmark's.

    Raises:
        ConfigError: A mistake in the file, or no shared place for checkpoints.
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
            text = "must be a folder that all nodes share, such as /mnt/shared/groupdir, or s3://bucket/folder: a trial"
            text += " whose node is lost goes on from there elsewhere; got null: --set search.storage_path=..."
            raise ConfigError([study.mistake("search.storage_path", text)])
    return name


def _resume(file: ClusterFile, here: Path) -> str:
    """What goes on with a study."""
    return next_command("resume", here, "--cluster", file.path)


def _attach(file: ClusterFile, name: str) -> str:
    """Return the command that comes back to a search."""
    return next_command("attach", name, "--cluster", file.path)


def _submit(file: ClusterFile, words: Sequence[str], here: Path, again: str | None = None) -> int:
    """Sends a command there and follows it, where the study has no job that runs.

    Args:
        file: The cluster.
        words: The command.
        here: Where the results go.
        again: What goes on with it where `resume` does not.
    """
    name = here.name
    with Tunnel(file) as address:
        running = [job for job in jobs_of(client(address), name) if not job.status.is_terminal()]
        if running:
            attach = _attach(file, name)
            raise DataError(f"{name}: a search of this name runs already ({running[-1].submission_id}): {attach}")
        job = submit(address, name, words, again or _resume(file, here))
        print(
            f"{job} runs on the cluster, whatever becomes of this machine; come back to it with\n"
            f"  {_attach(file, name)}\n"
            f"and end it early with\n  {shlex.join(['ray', 'exec', str(file.path), f'ray job stop {job}'])}",
            flush=True,
        )
        return _follow(file, job, here, address, again)


def _follow(file: ClusterFile, job: str, here: Path, address: str, again: str | None) -> int:
    """Follows a job to its end, then brings the results.

    Returns:
        The exit code of the search.
    """
    try:
        ended = show_job(file, job, address)
    except UnknownJob as error:
        raise DataError(f"{error} Continue with: {again or _resume(file, here)}") from error
    except KeyboardInterrupt:
        print(f"\nthe search continues; come back with: {_attach(file, here.name)}")
        return INTERRUPTED
    code = 0 if ended.status == "SUCCEEDED" else ended.driver_exit_code or 1
    here.mkdir(parents=True, exist_ok=True)
    remove_logs(here)
    brought = run(["ray", "rsync-down", str(file.path), f"{THERE}/{here.name}/", f"{here}/"])
    if brought != 0:
        with suppress(OSError):
            here.rmdir()  # empty, it would be in the way of the next search
        print(
            f"nothing was brought: a search that was refused has no results, those of another are still on the head, "
            f"in {THERE}/{here.name}: {_attach(file, here.name)}",
            file=sys.stderr,
        )
        return code or brought
    benchmark = (here / BENCHMARK).is_file()
    look = next_command("benchmark-table", here) if benchmark else next_command("select", here, "--shot", "few")
    print(f"\nthe results are in {here}: {look}")
    return code


def remove_logs(folder: Path) -> None:
    """Removes what SQLite keeps beside the record of a driver that was killed: the record that comes may have none.

    The old log would be read, and written, into the new record. Studies of a benchmark are one level below.
    """
    for left in (*folder.glob(f"{EVENT_LOG}-*"), *folder.glob(f"*/{EVENT_LOG}-*")):
        left.unlink()


def _escaped(line: str) -> str:
    """A line as it stands between double quotes in another shell."""
    return line.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
