"""Each private name of Ray that is used, asked of the installed Ray."""

from __future__ import annotations

import inspect
import logging
import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray import tune
from ray.exceptions import ActorDiedError, ActorUnavailableError, NodeDiedError, RayTaskError
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.utils import object_cache

from groupdir.errors import StorageLostError
from groupdir.trainable import placement
from launch.on_ray import private
from launch.on_ray.failures import cause_of
from tests.checkout import ROOT

RAY = Path(ray.__file__).parent
CHANGED = f"Ray {ray.__version__} is not as launch/on_ray/private.py expects ({private.TESTED}): "


def source(module: str) -> str:
    return (RAY / module).read_text(encoding="utf-8")


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    tune.register_trainable("private_test", tune.Trainable)
    return Trial("private_test", stub=True, config={"trial": 0}, max_failures=0)


# --- the version ---


def test_the_tested_ray_is_the_pinned_one_and_the_last_that_is_admitted() -> None:
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert pinned[1] == private.TESTED
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    bounds = {line.partition("]")[2] for requirements in lists for line in requirements if line.startswith("ray[")}
    assert len(bounds) == 1, f"one range of Ray for every list, got {bounds}"
    major, minor = private.TESTED.split(".")[:2]
    assert bounds.pop().endswith(f",<{major}.{int(minor) + 1}")


# --- a driver's own Ray ---


def test_the_switches_are_read_by_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    for name in list(before):
        if name.startswith(("RAY_ACCEL", "RAY_TRAIN_ENABLE", "RAY_AIR_NEW")):
            monkeypatch.delenv(name)
    private.quiet_switches()
    switches = {name for name in os.environ if before.get(name) != os.environ[name] or name not in before}
    switches |= {name for name in before if name.startswith(("RAY_ACCEL", "RAY_TRAIN_ENABLE", "RAY_AIR_NEW"))}
    readers = ["_private/accelerators/accelerator.py", "train/constants.py", "tune/experimental/output.py"]
    known = "".join(map(source, readers))
    assert len(switches) == 3
    for name in switches:
        assert f'"{name}"' in known, CHANGED + f"nothing reads {name}"
        if name not in before:
            monkeypatch.delenv(name)


def test_ray_takes_a_folder_for_its_session() -> None:
    assert "_temp_dir" in source("_private/worker.py"), CHANGED + "ray.init has no _temp_dir"
    assert private.session_in("/x") == {"_temp_dir": "/x"}


def test_the_job_client() -> None:
    pytest.importorskip("aiohttp", reason="ray[default] is not installed")
    from ray.dashboard.modules.job import sdk

    private.quiet_jobs()
    assert sdk.logger.level == logging.WARNING, CHANGED + "the job client has another logger"
    answer = SimpleNamespace(status_code=404, text="no such job")
    with pytest.raises(RuntimeError) as caught:
        sdk.JobSubmissionClient._raise_error(SimpleNamespace(), answer)  # type: ignore[arg-type]
    assert private.is_unknown_job(caught.value), CHANGED + "the job client words its errors differently"
    assert not private.is_unknown_job(RuntimeError("status code 500: 404"))


def test_the_seconds_before_a_job_is_killed() -> None:
    text = source("dashboard/modules/job/job_supervisor.py")
    assert f'"{private.STOP_SECONDS}"' in text or private.STOP_SECONDS in text, CHANGED + "another name of the variable"


# --- nodes ---


def test_the_state_of_a_cluster_has_what_is_asked() -> None:
    from ray._private import state

    for name in ("actors", "available_resources_per_node"):
        assert callable(getattr(state, name, None)), CHANGED + f"ray._private.state has no {name}"
    assert callable(getattr(state.state, "get_draining_nodes", None)), CHANGED + "no get_draining_nodes"
    assert "actor_id" in inspect.signature(state.actors).parameters


@pytest.fixture
def one_node() -> Iterator[None]:
    temp = tempfile.mkdtemp(prefix="gd-", dir="/tmp")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=100 * 1024**2,
        **private.session_in(temp),
    )
    yield
    ray.shutdown()
    shutil.rmtree(temp, ignore_errors=True)


@ray.remote(num_cpus=1)
class Idle:
    def ping(self) -> int:
        return os.getpid()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_real_node(one_node: None, tmp_path: Path) -> None:
    """What only a running Ray can answer: resources, session, nodes of actors, the raylet's command, draining."""
    (node,) = ray.nodes()
    name = node["NodeID"]
    assert private.free_resources()[name]["CPU"] == 2
    session = Path(private.session_folder(node))
    assert (session / "logs").is_dir(), CHANGED + "the session's folder is not above its sockets"
    actor = Idle.remote()
    ray.get(actor.ping.remote())
    on_actor: Any = SimpleNamespace(temporary_state=SimpleNamespace(ray_actor=actor))
    assert private.node_of(on_actor) == name, CHANGED + "an actor's node has another place in its state"
    nowhere: Any = SimpleNamespace(temporary_state=SimpleNamespace(ray_actor=None))
    assert private.node_of(nowhere) == ""
    processes = private.own_processes()
    assert {"raylet", "gcs_server"} <= set(processes), CHANGED + "its processes have other names"
    for process in processes.values():
        assert process.poll() is None
    board = private.ClusterBoard()
    assert board.all() == {}, CHANGED + "the store of the head"
    board.put("01", "a")
    board.put("01", "b")
    board.put("02", "c")
    assert board.all() == {"01": "b", "02": "c"}
    board.remove("01")
    assert board.all() == {"02": "c"}
    commands = [path.read_bytes().decode(errors="replace").split("\0") for path in raylets()]
    address = ray.get_runtime_context().gcs_address
    assert (name, address) in list(map(private.raylet, commands)), CHANGED + "the raylet has other flags"
    pattern = subprocess.run(
        ["pgrep", "-u", str(os.getuid()), "-f", private.PROCESSES], capture_output=True, check=False
    )
    assert len(pattern.stdout.split()) >= 2, CHANGED + "its processes have other names"
    assert not private.draining_nodes()
    command = private.drain_command(address, name, "a test", 120)
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, CHANGED + ran.stderr
    assert name in private.draining_nodes()


def raylets() -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists() and b"raylet" in path.read_bytes()]


def test_the_command_that_drains_a_node() -> None:
    command = private.drain_command("10.0.0.1:6379", "ab", "a test", 119.9)
    assert command[:3] == [sys.executable, "-m", "ray.scripts.scripts"]
    from ray.core.generated import autoscaler_pb2
    from ray.scripts.scripts import cli

    drain = cli.commands.get("drain-node")
    assert drain is not None, CHANGED + "`ray drain-node` is gone"
    options = {option for parameter in drain.params for option in parameter.opts}
    assert {word for word in command if word.startswith("--")} <= options, CHANGED + "other options"
    assert command[command.index("--reason") + 1] in dict(autoscaler_pb2.DrainNodeReason.items())
    assert command[-1] == "119"


def test_the_raylet_is_started_with_its_name_and_address() -> None:
    text = source("_private/services.py")
    for flag in ("--node_id=", "--gcs-address="):
        assert flag in text, CHANGED + f"the raylet has no {flag}"
    assert private.raylet(["/x/raylet", "--node_id=ab", "--gcs-address=h:1", "-c a=b"]) == ("ab", "h:1")
    assert private.raylet(["bash", "raylet", "--node_id=ab"]) is None
    assert private.raylet([]) is None


def test_names_of_files_and_resources() -> None:
    assert f'"{private.KIND_OF_GPU}"' in source("autoscaler/_private/util.py"), CHANGED + "kinds of GPU"
    assert private.HEADS_COPY in source("autoscaler/_private/command_runner.py"), CHANGED + "the head's copy"
    assert (RAY / "core/src/ray/raylet/raylet").is_file(), CHANGED + "the raylet's program"
    assert (RAY / "core/src/ray/gcs/gcs_server").is_file(), CHANGED + "the head's program"


# --- a trial of Tune ---


def test_a_failure_is_counted_unless_the_node_is_lost(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(trial), "local_path", None)
    assert not hasattr(trial, "lost_nodes")
    private.retry_with_reason(trial)
    for _ in range(private.LOST_NODES):
        trial.handle_error(NodeDiedError("gone"))
        assert trial.run_metadata.num_failures == 0, CHANGED + "failures are counted elsewhere"
        assert private.will_retry(trial)
    trial.handle_error(NodeDiedError("gone"))
    assert not private.will_retry(trial), "one node too many: the trial may be what ends them"


def test_a_failure_of_its_own_is_counted(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(trial), "local_path", None)
    private.retry_with_reason(trial)
    assert private.will_retry(trial)
    trial.handle_error(RuntimeError("mine"))  # type: ignore[arg-type]
    assert not private.will_retry(trial), CHANGED + "no retries are allowed, and one is counted"


def test_a_trial_asks_for_other_resources(trial: Trial) -> None:
    private.request(trial, {"CPU": 2.0, "GPU": 1.0})
    assert private.requested(trial) == {"CPU": 2.0, "GPU": 1.0}


def test_the_fault_of_a_node_is_seen_through_ray_s_wrapping() -> None:
    own, of_node = (RayTaskError("step", "a traceback", error) for error in (OSError("x"), StorageLostError("x")))
    assert private.is_fault_of_node(of_node), CHANGED + "the cause of a RayTaskError"
    assert private.is_fault_of_node(NodeDiedError("x"))
    assert not private.is_fault_of_node(own)
    assert not private.is_fault_of_node(None)


def test_what_ray_says_of_a_lost_node() -> None:
    assert private.is_lost_with_its_node(NodeDiedError("x"))
    assert private.is_lost_with_its_node(ActorUnavailableError("x", None))
    assert not private.is_lost_with_its_node(ActorDiedError())
    assert not private.is_lost_with_its_node(None)
    with (RAY / "core/src/ray/gcs/gcs_server").open("rb") as file:
        text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        assert text.find(b"its node has died") >= 0, CHANGED + "an actor's death is worded differently"


def test_a_trial_has_its_error_and_its_actor(trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(trial), "local_path", str(tmp_path))
    assert private.error_file(trial) is None
    trial.handle_error(ActorUnavailableError("gone", None))
    assert isinstance(cause_of(trial), ActorUnavailableError), CHANGED + "a trial's last error is elsewhere"
    assert trial.temporary_state.ray_actor is None, CHANGED + "a trial's actor"
    assert private.node_of(trial) == ""


# --- the processes that Tune keeps ---


def test_the_controller_has_what_is_used() -> None:
    text = inspect.getsource(TuneController.__init__)
    names = ("_started_actors", "_trial_to_actor", "_actor_to_trial", "_pending_trials", "_pending_trials_list")
    names += ("_resetting_trials", "_staged_trials", "_actor_cache", "_actor_manager", "_resources_to_pending_trials")
    for name in names:
        assert f"self.{name}" in text, CHANGED + f"TuneController has no {name}"
    assert "tracked_actor" in inspect.signature(TuneController._remove_actor).parameters, CHANGED + "_remove_actor"
    cleanup = inspect.signature(TuneController._cleanup_cached_actors)
    assert "force_all" in cleanup.parameters, CHANGED + "_cleanup_cached_actors takes no force_all"
    kept = inspect.getsource(TuneController._maybe_cache_trial_actor)
    assert "not in self._started_actors" in kept, CHANGED + "who is kept no longer depends on _started_actors"


def test_a_waiting_trial_requests_other_nodes_and_one_that_starts_keeps_its_place(trial: Trial) -> None:
    """On Ray's own cache, and on its controller's collections."""
    starting = Trial("private_test", stub=True, config={"trial": 1}, max_failures=0)
    cache: Any = object_cache._ObjectCache()
    removed: list[str] = []

    def remove(tracked_actor: str) -> None:
        removed.append(tracked_actor)

    before = placement({"CPU": 1.0}, ["a"])
    for each in (trial, starting):
        private.request(each, {"CPU": 1.0}, ["a"])
        cache.increase_max(before)
    inner: Any = SimpleNamespace(
        _pending_trials={trial, starting}, _resetting_trials={}, _trial_to_actor={trial: "p", starting: "q"},
        _actor_to_trial={"p": trial, "q": starting}, _staged_trials={trial, starting}, _actor_cache=cache,
        _resources_to_pending_trials=defaultdict(set, {before: {trial, starting}}), _pending_trials_list=[],
        _actor_manager=SimpleNamespace(is_actor_started=lambda actor: actor == "q"),
        _remove_actor=remove,
    )  # fmt: skip
    private.request_again(inner, ["b"])
    assert removed == ["p"]
    assert inner._actor_to_trial == {"q": starting}
    assert inner._staged_trials == {starting}
    assert inner._pending_trials_list == [trial], "Ray stages what is in this list"
    assert trial.placement_group_factory == placement({"CPU": 1.0}, ["b"])
    assert starting.placement_group_factory == before
    assert inner._resources_to_pending_trials == {before: {starting}, placement({"CPU": 1.0}, ["b"]): {trial}}
    assert cache.total_max_objects == 1


def test_the_wrapper_is_opened() -> None:
    from ray.tune.execution import tune_controller

    inner: Any = SimpleNamespace(_started_actors={"p", "q"}, _trial_to_actor={"t": "p"})
    wrapper: Any = tune_controller.TrialRunnerWrapper(inner, None)
    assert private.controller_of(wrapper) is inner, CHANGED + "the wrapper has another name for what it wraps"
    assert private.controller_of(inner) is inner
    trial: Any = "t"
    private.give_up_process(wrapper, trial)
    assert inner._started_actors == {"q"}
    emptied: list[bool] = []

    def clean_up(force_all: bool) -> None:
        emptied.append(force_all)

    inner._cleanup_cached_actors = clean_up
    private.drop_kept_processes(wrapper)
    assert emptied == [True]


def test_results_are_not_buffered_where_a_scheduler_says_so() -> None:
    """The public property is what Ray asks."""
    assert "scheduler.supports_buffered_results" in source("tune/tune.py"), CHANGED + "it asks something else"
