"""What Ray talks to: an epoch is in the store, and judged by ours, before Ray hears what becomes of the trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from groupdir.errors import DeviceMemoryError
from launch.on_ray import private
from launch.on_ray.draining import Draining
from launch.on_ray.failures import cause_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ray.tune.experiment import Trial

    from launch.control.study_loop import StudyLoop
    from launch.on_ray.private import Controller
    from launch.on_ray.slots import Slots


class RecordingScheduler(FIFOScheduler):
    """Trials run in their order. One that pauses ends for Ray, with a checkpoint: it comes back as a new one.

    One whose node is given up moves: Ray's own pause writes a checkpoint, and the trial goes on from it elsewhere. To
    the study it runs all the while, and it is no failure.

    Args:
        loop: Who decides.
        slots: Where trials run.
        say: Tells the person something.
        draining: Knows which nodes are given up.
    """

    def __init__(
        self, loop: StudyLoop, slots: Slots, say: Callable[[str], None], draining: Draining | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._loop, self._slots, self._say = loop, slots, say
        self._draining = draining or Draining()

    @property
    def supports_buffered_results(self) -> bool:
        """Rows reach the store, and the rungs with them, as soon as they are reported."""
        return False

    def __reduce__(self) -> tuple[type[FIFOScheduler], tuple[()]]:
        """Ray pickles its scheduler into a file that nothing here reads: the store is the truth, not that."""
        return FIFOScheduler, ()

    def on_trial_add(self, tune_controller: Controller, trial: Trial) -> None:
        """Let the loss of a node cost the trial no retry."""
        private.forgive_lost_nodes(trial)

    def on_trial_result(self, tune_controller: Controller, trial: Trial, result: dict[str, Any]) -> str:
        """Ray does not call it for a trial's last epoch: that one is written by `launch.on_ray.callback.Recorder`."""
        action = self._loop.report(int(result["trial"]), result)
        if action != "continue":
            return str(TrialScheduler.STOP)
        return str(TrialScheduler.PAUSE if self._leaves(tune_controller, trial) else TrialScheduler.CONTINUE)

    def on_trial_complete(self, tune_controller: Controller, trial: Trial, result: dict[str, Any]) -> None:
        """The process of a trial that ends on a node that is given up takes no other one either."""
        self._leaves(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: Controller) -> Trial | None:
        """Those that move come before those that have not begun; Ray itself asks them last, and one after the other.

        Ray asks before it gives a process that it has kept to a trial: those on a node that was given up meanwhile go.
        """
        if self._draining.more():
            private.drop_kept_processes(tune_controller)
        trials: list[Trial] = tune_controller.get_trials()  # type: ignore[no-untyped-call]
        moving = (trial for trial in trials if trial.status == trial.PAUSED)
        return next(moving, None) or super().choose_trial_to_run(tune_controller)

    def on_trial_error(self, tune_controller: Controller, trial: Trial) -> None:
        """Adjust a retried trial's resource request to what the cluster can still offer.

        A trial that failed because its share of a GPU was too small waits for a whole one. A trial that lost its node
        requests the kind of GPU of which most is free. Ray calls this before it queues the trial, by its request; a
        callback would come too late.
        """
        if not private.will_retry(trial):
            return
        cause, asked = cause_of(trial), private.requested(trial)
        if isinstance(cause, DeviceMemoryError):
            is_part = 0 < asked.get("GPU", 0) < 1
            where = " on a whole GPU, when one is free" if is_part else ""
            self._say(f"trial {trial.config['trial']}: {cause}; it is tried again{where}")
            if is_part:
                asked = {**asked, "GPU": 1.0}
        elif private.is_lost_with_its_node(cause):
            asked = self._slots.move(trial.trial_id).bundle
        private.request(trial, asked)

    def _leaves(self, tune_controller: Controller, trial: Trial) -> bool:
        """Return whether a trial's node is given up; Ray must then not keep the trial's process for the next one."""
        if not self._draining.holds(trial):
            return False
        private.give_up_process(tune_controller, trial)
        return True
