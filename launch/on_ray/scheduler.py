"""What Ray talks to: an epoch is in the store, and judged by ours, before Ray hears what becomes of the trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray.tune import PlacementGroupFactory
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from groupdir.errors import DeviceMemoryError
from launch.on_ray.draining import Draining
from launch.on_ray.failures import cause_of, lost_with_its_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from ray.tune.execution.tune_controller import TuneController

    from launch.control.study_loop import StudyLoop
    from launch.on_ray.slots import Slots

LOST_NODES = 20  # that a trial outlives; after that it may be what ends them


class PatientTrial(Trial):
    """A trial of Ray's that the loss of a node costs none of its `search.max_failures` tries."""

    lost_nodes = 0

    def handle_error(self, exc: Any = None) -> None:
        """Counts a failure, if it is the trial's own."""
        before = self.run_metadata.num_failures
        super().handle_error(exc)
        if lost_with_its_node(exc) and self.lost_nodes < LOST_NODES:
            self.lost_nodes += 1
            self.run_metadata.num_failures = before


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

    _supports_buffered_results = False  # buffered rows would reach the store late, and the rungs with them

    def __init__(
        self, loop: StudyLoop, slots: Slots, say: Callable[[str], None], draining: Draining | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._loop, self._slots, self._say = loop, slots, say
        self._draining = draining or Draining()

    def __reduce__(self) -> tuple[type[FIFOScheduler], tuple[()]]:
        """Ray pickles its scheduler into a file that nothing here reads: the store is the truth, not that."""
        return FIFOScheduler, ()

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """Ray makes its trials itself, and counts a dead node as a failure of each of them."""
        trial.__class__ = PatientTrial

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """Ray does not call it for a trial's last epoch: that one is written by `launch.on_ray.callback.Recorder`."""
        action = self._loop.report(int(result["trial"]), result)
        if action != "continue":
            return str(TrialScheduler.STOP)
        return str(TrialScheduler.PAUSE if self._leaves(tune_controller, trial) else TrialScheduler.CONTINUE)

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> None:
        """The process of a trial that ends on a node that is given up takes no other one either."""
        self._leaves(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        """Those that move come before those that have not begun; Ray itself asks them last, and one after the other.

        Ray asks before it gives a process that it has kept to a trial: those on a node that was given up meanwhile go.
        """
        if self._draining.more():
            controller_of(tune_controller)._cleanup_cached_actors(force_all=True)
        trials: list[Trial] = tune_controller.get_trials()  # type: ignore[no-untyped-call]
        moving = (trial for trial in trials if trial.status == trial.PAUSED)
        return next(moving, None) or super().choose_trial_to_run(tune_controller)

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        """Sees to it that what is tried again asks for a place that may be there.

        What failed because a part of a GPU is too small for it waits for a whole one; what lost its node takes the kind
        of GPU of which most is free. Ray asks this before it queues a trial anew, by what the trial asks for; in a
        callback it would be too late.
        """
        ray_trial: Any = trial
        if not ray_trial.should_recover():
            return
        cause, asked = cause_of(trial), ray_trial.placement_group_factory.required_resources
        if isinstance(cause, DeviceMemoryError):
            is_part = 0 < asked.get("GPU", 0) < 1
            where = " on a whole GPU, when one is free" if is_part else ""
            self._say(f"trial {ray_trial.config['trial']}: {cause}; it is tried again{where}")
            if is_part:
                asked = {**asked, "GPU": 1.0}
        elif lost_with_its_node(cause):
            asked = self._slots.move(ray_trial.trial_id).bundle
        ray_trial.placement_group_factory = PlacementGroupFactory([asked])
        ray_trial.invalidate_json_state()

    def _leaves(self, tune_controller: Any, trial: Trial) -> bool:
        """Whether a trial's node is given up; then Ray must not keep its process, there, for the next trial.

        Ray keeps processes that it knows as started. Nothing else asks whether one is.
        """
        if not self._draining.holds(trial):
            return False
        controller = controller_of(tune_controller)
        controller._started_actors.discard(controller._trial_to_actor.get(trial))
        return True


def controller_of(given: Any) -> Any:
    """What Ray wraps, now and then, so that a scheduler is warned when it uses what is private."""
    return getattr(given, "_tune_controller", given)
