"""Every private or undocumented name of Ray that the project uses, each in one function.

Ray may rename or remove these in any release. Those about a
cluster's file are in private_cluster.py. No other file uses one: the tests beside test_private.py scan all files, and
look up each name in the installed Ray. Each docstring says why the public API is not enough. All were
tested with the version `TESTED` of Ray, which constraints.txt pins and which is the last that pyproject.toml allows.

Importing this file does not import Ray, because `launch.cluster.spot` waits on a machine for days in a few megabytes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groupdir.errors import StorageLostError, would_recur
from groupdir.files.write_whole import FULL

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial

    Controller = TuneController
    """Object that Ray passes to schedulers. Its module is internal and needed only for annotations."""

TESTED = "2.60.0"
LOST_NODES = 20  # per trial; after more, the trial itself may crash its nodes
HEADS_COPY = "~/ray_bootstrap_config.yaml"
"""Path on the head at which `ray up` puts the cluster's file. No documented API of Ray gives an autoscaler's limits."""
KIND_OF_GPU = "accelerator_type:"
"""Prefix of the kind of GPU in a node's resources. The public API accepts a kind of GPU, but lists none."""
PROCESSES = "[r]aylet/raylet|[g]cs_server|[r]ay::|[r]ay/dashboard|[r]ay/autoscaler"
"""Pattern of Ray's processes for pgrep, because `ray stop` does not report whether all have ended. The brackets keep
the pattern from matching its own command line."""
STOP_SECONDS = "RAY_JOB_STOP_WAIT_TIME_S"
"""Environment variable of a job: seconds between the two signals of `ray job stop`, which has no option for it."""


# --- a driver's own Ray ---


def quiet_switches() -> None:
    """Set the environment switches that the docs of Ray do not list. Call this function before Ray is imported.

    They silence a warning about CUDA_VISIBLE_DEVICES in workers without a GPU, a warning about the next major version,
    and the progress box of Tune's new output, which is printed in spite of `verbose=0`.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS", "0")
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"


def session_in(folder: str) -> dict[str, Any]:
    """Return the option of `ray.init` that puts Ray's session into a folder. The public default is always /tmp/ray."""
    return {"_temp_dir": folder}


@contextlib.contextmanager
def signals_left_to_driver() -> Iterator[Callable[[], list[int]]]:
    """Keep signals from all but the driver within the context, in which `ray.init` runs. It has no option for this.

    Ray starts its processes in the driver's process group. A signal to the whole group (`timeout`, a terminal, batch
    systems) or to all processes of a service (systemd) then ends them before the driver can write its checkpoints. They
    start in sessions of their own and with SIGTERM and SIGHUP blocked, as Ray itself blocks SIGINT. Workers inherit
    both. All still end with the driver. In the driver itself Ray installs handlers that end the program, so that its
    own handler of SIGTERM is installed again, and a SIGTERM waits until then.

    Yields:
        Function that returns the ids of the processes that Ray has started so far. If `ray.init` fails, Ray forgets
        them, and `own_processes` does not have them.
    """
    from ray._private import services, utils

    handler, ends_with_parent = signal.getsignal(signal.SIGTERM), utils.set_kill_on_parent_death_linux
    start = services.start_ray_process
    read, write = os.pipe()
    os.set_blocking(read, False)
    begun: list[int] = []

    def started() -> list[int]:
        with contextlib.suppress(BlockingIOError):  # nothing to read
            begun.extend(map(int, os.read(read, 65_536).split()))
        return begun

    def leave() -> None:  # runs in each new process
        os.setsid()
        os.write(write, b"%d\n" % os.getpid())
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})
        ends_with_parent()  # type: ignore[no-untyped-call]

    def start_whole(*args: Any, **options: Any) -> Any:
        with _interrupt_waits():  # else Ctrl-C may come before the new process has told its id
            return start(*args, **options)

    utils.set_kill_on_parent_death_linux = leave
    services.start_ray_process = start_whole
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield started
    finally:
        os.close(read)
        os.close(write)
        utils.set_kill_on_parent_death_linux = ends_with_parent
        services.start_ray_process = start
        if callable(handler) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextlib.contextmanager
def _interrupt_waits() -> Iterator[None]:
    """Let a Ctrl-C take effect only after the context. A signal mask would not do: another thread gets the signal."""
    handler, came = signal.getsignal(signal.SIGINT), []
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, lambda *args: came.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(*came[0])


def own_processes() -> dict[str, subprocess.Popen[bytes]]:
    """Return the processes of this driver's own Ray by name, also those that have died. No public API has them."""
    from ray._private import worker

    node: Any = worker._global_node  # Ray declares it as None
    return {} if node is None else {name: infos[0].process for name, infos in node.all_processes.items()}


def says_disk_full(error: BaseException) -> bool:
    """Return whether the text of an error names a full disk. Ray passes on only the text of an error in its storage."""
    return any(os.strerror(number) in str(error) for number in FULL)


def quiet_jobs() -> None:
    """Silence the logger of the job client, which reports the end of each connection and has no public switch."""
    logging.getLogger("ray.dashboard.modules.job.sdk").setLevel(logging.WARNING)


def is_unknown_job(error: RuntimeError) -> bool:
    """Return whether the job server does not know a job. The only sign is the text of a RuntimeError."""
    return "status code 404:" in str(error)


# --- nodes ---


def free_resources() -> dict[str, dict[str, float]]:
    """Return the free resources of each node by name. `ray.available_resources` returns only the sum over all nodes."""
    from ray._private.state import available_resources_per_node

    free: dict[str, dict[str, float]] = available_resources_per_node()  # type: ignore[no-untyped-call]
    return free


def socket_of(node: Mapping[str, Any]) -> Path:
    """Return the socket of Ray on a node of `ray.nodes()`. No public API has it."""
    return Path(node["RayletSocketName"])


def session_folder(node: Mapping[str, Any]) -> str:
    """Return Ray's session folder on a node of `ray.nodes()`, from the path of its socket. No public API has it."""
    return str(socket_of(node).parent.parent)


def draining_nodes() -> Collection[str]:
    """Return the running nodes that Ray is draining. `ray.nodes()` does not mark them."""
    from ray._private.state import state

    nodes: Collection[str] = state.get_draining_nodes()
    return nodes


def node_of(trial: Trial) -> str:
    """Return the id of the node that a trial runs on, or "" if the trial is not running.

    `ray.util.state` needs a dashboard. Tune publishes only the IP address of a trial, which several nodes may share.
    """
    from ray._private.state import actors

    actor: Any = trial.temporary_state.ray_actor
    if actor is None:
        return ""
    info: dict[str, Any] = actors(actor._ray_actor_id.hex())
    return str(info.get("Address", {}).get("NodeID", ""))


class ClusterBoard:
    """Board of a cluster, on which drivers post texts for one another: a `launch.on_ray.sharing.Board`.

    Ray has no public store of texts without a process. A named actor would need 100 MB on some node, and would run the
    code of the search that came first.
    """

    _PLACE = b"groupdir-searches"

    def put(self, key: str, text: str) -> None:
        """Replace the post of a key."""
        from ray.experimental import internal_kv

        internal_kv._internal_kv_put(key, text, overwrite=True, namespace=self._PLACE)

    def all(self) -> dict[str, str]:
        """Return the posts by key."""
        from ray.experimental import internal_kv

        keys = internal_kv._internal_kv_list(b"", namespace=self._PLACE)
        posts: dict[bytes, Any] = {key: internal_kv._internal_kv_get(key, namespace=self._PLACE) for key in keys}
        return {key.decode(): text.decode() for key, text in posts.items() if text is not None}

    def remove(self, key: str) -> None:
        """Remove the post of a key."""
        from ray.experimental import internal_kv

        internal_kv._internal_kv_del(key, namespace=self._PLACE)


def raylet(command: Sequence[str]) -> tuple[str, str] | None:
    """Return the id of a node and the address of its head from the command line of its raylet, or None otherwise.

    A process outside the cluster has no API to ask, and joining the cluster costs far more memory than waiting.

    Args:
        command: Command line of any process, split into words.
    """
    if not command or Path(command[0]).name != "raylet":
        return None
    flags = dict(word.removeprefix("--").split("=", 1) for word in command if "=" in word)
    return flags["node_id"], flags["gcs-address"]


def drain_command(head: str, node: str, message: str, seconds: float) -> list[str]:
    """Return the command that drains a node. `ray --help` does not show it, and no public API drains a node."""
    reason = "DRAIN_NODE_REASON_PREEMPTION"
    command = [sys.executable, "-m", "ray.scripts.scripts", "drain-node", "--address", head, "--node-id", node]
    command += ["--reason", reason, "--reason-message", message]
    return [*command, "--deadline-remaining-seconds", str(int(seconds))]


# --- a trial of Tune ---


def error_file(trial: Trial) -> str | None:
    """Return the file of the last error of a trial, or None. `get_pickled_error` reads a copy that is written later."""
    path: str | None = trial.pickled_error_file
    return path


def is_lost_with_its_node(error: BaseException | None) -> bool:
    """Return whether a trial failed because its node was lost.

    For an actor whose node vanishes, Ray names the cause only in an English text.
    """
    from ray.exceptions import ActorDiedError, ActorUnavailableError, NodeDiedError

    if isinstance(error, ActorUnavailableError | NodeDiedError):
        return True
    return isinstance(error, ActorDiedError) and "its node has died" in str(error)


def cause_in_worker(error: BaseException) -> BaseException:
    """Return the exception that a worker raised, from the error by which Ray reports it to the driver."""
    from ray.exceptions import RayTaskError

    return (error.cause or error) if isinstance(error, RayTaskError) else error


def is_fault_of_node(error: BaseException | None) -> bool:
    """Return whether a trial failed because its node was lost or lost the storage: others may be well."""
    lost = error is not None and isinstance(cause_in_worker(error), StorageLostError)
    return lost or is_lost_with_its_node(error)


@cache
def _patient_trial() -> type[Trial]:
    from ray.tune.experiment import Trial

    class PatientTrial(Trial):
        """Ray trial that is not charged for a fault of its node, and not retried after an error that would recur."""

        lost_nodes = 0

        def handle_error(self, exc: Any = None) -> None:
            """Count a failure, unless it is the fault of the node. An error that would recur uses up all retries."""
            before = self.run_metadata.num_failures
            super().handle_error(exc)
            if is_fault_of_node(exc) and self.lost_nodes < LOST_NODES:
                self.lost_nodes += 1
                self.run_metadata.num_failures = before
            elif isinstance(exc, BaseException) and would_recur(cause_in_worker(exc)):
                self.run_metadata.num_failures = self.max_failures + 1

    return PatientTrial


def retry_with_reason(trial: Trial) -> None:
    """Let Ray retry a trial only if a retry may end otherwise, and not count the faults of its nodes.

    Ray creates its trials itself and accepts no other class for them. Its public `FailureConfig` counts every failure
    except the loss of a node that was draining, and knows no error that is not worth a retry.
    """
    trial.__class__ = _patient_trial()


def will_retry(trial: Trial) -> bool:
    """Return whether Ray retries a failed trial. Ray calls schedulers in both cases without this information."""
    return bool(trial.should_recover())  # type: ignore[no-untyped-call]


def requested(trial: Trial) -> dict[str, float]:
    """Return the resources that a trial requests. The public property is one of the `Trainable`, on the worker."""
    factory: Any = trial.placement_group_factory
    return dict(factory.required_resources)


def request(trial: Trial, resources: Mapping[str, float], refused: Collection[str] = ()) -> None:
    """Change the resources that a trial requests when it is retried, and the nodes that it must not run on.

    The public `ResourceChangingScheduler` changes them when a trial reports, not when it fails.
    """
    from groupdir.trainable import placement

    anything: Any = trial  # Ray declares it as None
    anything.placement_group_factory = placement(resources, refused)
    anything.invalidate_json_state()


def request_again(controller: Controller, refused: Collection[str]) -> None:
    """Let the trials that wait for a place request it again, on the nodes that are not refused now.

    A request names the nodes that it avoids, and Ray has no API to change a request that waits. The steps are those by
    which Ray itself replaces the process that a waiting trial has requested.
    """
    inner = controller_of(controller)
    for trial in list(inner._pending_trials - set(inner._resetting_trials)):
        before, actor = trial.placement_group_factory, inner._trial_to_actor.get(trial)
        if actor is not None and inner._actor_manager.is_actor_started(actor):
            continue  # it has a place, and its process starts
        if actor is not None:
            del inner._trial_to_actor[trial], inner._actor_to_trial[actor]
            inner._remove_actor(tracked_actor=actor)
        if trial in inner._staged_trials:
            inner._staged_trials.remove(trial)
            inner._actor_cache.decrease_max(before)
        inner._resources_to_pending_trials[before].discard(trial)
        request(trial, requested(trial), refused)
        inner._resources_to_pending_trials[trial.placement_group_factory].add(trial)
        if trial not in inner._pending_trials_list:
            inner._pending_trials_list.append(trial)


# --- processes that Tune reuses for later trials ---


def controller_of(controller: Controller) -> Any:
    """Return the controller without the wrapper by which Ray may warn schedulers that use its private names."""
    return getattr(controller, "_tune_controller", controller)


def give_up_process(controller: Controller, trial: Trial) -> None:
    """End the process of a trial together with the trial. `reuse_actors` applies to all trials or to none.

    Ray reuses only processes in its set of started ones, and that set has no other use.
    """
    inner = controller_of(controller)
    inner._started_actors.discard(inner._trial_to_actor.get(trial))


def drop_kept_processes(controller: Controller) -> None:
    """End the idle processes that Ray keeps for the next trials, because some may be on a draining node."""
    controller_of(controller)._cleanup_cached_actors(force_all=True)
