"""Scheduler for Ray: an epoch is in the event log, and our own scheduler has decided, before Ray gets an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from groupdir.errors import DeviceMemoryError, NodeError, StorageLostError
from launch.on_ray import private
from launch.on_ray.draining import Draining
from launch.on_ray.failures import cause_of, reason
from launch.on_ray.trial_number import number

if TYPE_CHECKING:
    from collections.abc import Callable

    from ray.tune.experiment import Trial

    from launch.control.study_loop import StudyLoop
    from launch.on_ray.attempts import Attempts
    from launch.on_ray.nodes import Nodes
    from launch.on_ray.private import Controller
    from launch.on_ray.slots import Slots


class RecordingScheduler(FIFOScheduler):
    """Scheduler that passes the epochs of trials to the study loop and its decisions to Ray.

    Trials start in the order of their creation. A trial that the study loop pauses ends for Ray with a checkpoint, and
    is promoted as a new trial of Ray. A trial on a draining node moves: Ray pauses it with a checkpoint and resumes it
    on another node. For the study such a trial keeps running, and the move is not a failure.

    Args:
        loop: Study loop that decides about trials.
        slots: Slots of the cluster that trials run in.
        nodes: Nodes that trials run on.
        attempts: Attempts at the trials.
        say: Function that prints a line.
        draining: Draining nodes; None asks Ray.
    """

    def __init__(
        self,
        loop: StudyLoop,
        slots: Slots,
        nodes: Nodes,
        attempts: Attempts,
        say: Callable[[str], None],
        draining: Draining | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._loop, self._slots, self._nodes, self._attempts, self._say = loop, slots, nodes, attempts, say
        self._draining = draining or Draining()

    @property
    def supports_buffered_results(self) -> bool:
        """False, because each epoch must reach the event log and the rungs as soon as it is reported."""
        return False

    def __reduce__(self) -> tuple[type[FIFOScheduler], tuple[()]]:
        """Replace the scheduler in Ray's pickle, which is never read, because all state is in the event log."""
        return FIFOScheduler, ()

    def on_trial_add(self, tune_controller: Controller, trial: Trial) -> None:
        """Stop the fault of a node from using up a retry of the trial."""
        private.retry_with_reason(trial)

    def on_trial_result(self, tune_controller: Controller, trial: Trial, result: dict[str, Any]) -> str:
        """Record an epoch and return the decision. Ray passes the last epoch of a trial only to the `Recorder`."""
        action = self._loop.report(int(result["trial"]), result)
        if action != "continue":
            return str(TrialScheduler.STOP)
        if not self._leaves(tune_controller, trial):
            return str(TrialScheduler.CONTINUE)
        trial.config["attempt"] = self._attempts.begin(number(trial))
        return str(TrialScheduler.PAUSE)

    def on_trial_complete(self, tune_controller: Controller, trial: Trial, result: dict[str, Any]) -> None:
        """Stop Ray from reusing the process of a trial that ended on a draining node, or in another search's slot."""
        if not self._leaves(tune_controller, trial) and self._slots.leaves_slot():
            private.give_up_process(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: Controller) -> Trial | None:
        """Return a trial that moves to another node, else a new one; Ray alone would resume moving trials last.

        Ray calls this before it gives a kept process to a trial. Kept processes on nodes that have begun to drain are
        therefore ended here.
        """
        refused_changed = self._nodes.changed()
        if self._draining.more() or refused_changed:
            private.drop_kept_processes(tune_controller)
        if refused_changed:
            private.request_again(tune_controller, self._nodes.refused)
        trials: list[Trial] = tune_controller.get_trials()  # type: ignore[no-untyped-call]
        moving = (trial for trial in trials if trial.status == trial.PAUSED)
        return next(moving, None) or super().choose_trial_to_run(tune_controller)

    def on_trial_error(self, tune_controller: Controller, trial: Trial) -> None:
        """Adjust a retried trial's resource request to what the cluster can still offer.

        A trial that failed because its share of a GPU was too small waits for a whole one. A trial that lost its node
        requests the kind of GPU with the most free slots. A node that lost the storage gets no more trials. Ray calls
        this method before it queues the trial by its request; a callback would come too late.
        """
        cause, resources, trial_number = cause_of(trial), private.requested(trial), number(trial)
        node = self._nodes.of(trial_number)
        trial.config["attempt"] = self._attempts.begin(trial_number)
        if isinstance(cause, StorageLostError):
            self._nodes.refuse(node, str(cause))
        if not private.will_retry(trial):
            return
        if isinstance(cause, DeviceMemoryError):
            is_share = 0 < resources.get("GPU", 0) < 1
            where = " on a whole GPU when one is free" if is_share else ""
            self._say(f"trial {trial_number}: {cause}; it is retried{where}")
            if is_share:
                resources = {**resources, "GPU": 1.0}
        elif private.is_lost_with_its_node(cause):
            self._say(f"trial {trial_number} lost its node {node}; it continues on another node")
            resources = self._slots.move(trial.trial_id).bundle
        elif isinstance(cause, StorageLostError):
            self._say(f"trial {trial_number} leaves {node}, which cannot use the storage; it continues on another node")
            resources = self._slots.move(trial.trial_id).bundle
        elif cause is not None and not isinstance(cause, NodeError):
            self._say(f"trial {trial_number} failed on {node} and is retried: {reason(cause)}")
        private.request(trial, resources, self._nodes.refused)

    def _leaves(self, tune_controller: Controller, trial: Trial) -> bool:
        """Return whether the node of a trial is draining. If so, stop Ray from reusing the process of the trial."""
        if not self._draining.holds(trial):
            return False
        private.give_up_process(tune_controller, trial)
        return True
