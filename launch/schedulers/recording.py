"""What Ray talks to: an epoch is in the store, and judged by ours, before Ray hears what becomes of the trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray.tune import PlacementGroupFactory
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from groupdir.errors import DeviceMemoryError
from launch.failures import cause_of

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial

    from launch.director import Director


class RecordingScheduler(FIFOScheduler):
    """Trials run in their order. One that pauses ends for Ray, with a checkpoint: it comes back as a new one.

    Args:
        director: Who decides.
    """

    _supports_buffered_results = False  # buffered rows would reach the store late, and the rungs with them

    def __init__(self, director: Director) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._director = director

    def __reduce__(self) -> tuple[type[FIFOScheduler], tuple[()]]:
        """Ray pickles its scheduler into a file that nothing here reads: the store is the truth, not that."""
        return FIFOScheduler, ()

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """Ray does not call it for a trial's last epoch: that one is written by `launch.recorder.Recorder`."""
        action = self._director.report(int(result["trial"]), result)
        return str(TrialScheduler.CONTINUE if action == "continue" else TrialScheduler.STOP)

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        """What failed because a part of a GPU is too small for it waits for a whole one, if it is tried again.

        Ray asks this before it queues a trial anew, by what the trial asks for; in a callback it would be too late.
        """
        ray_trial: Any = trial
        asked = ray_trial.placement_group_factory.required_resources
        if 0 < asked.get("GPU", 0) < 1 and isinstance(cause_of(trial), DeviceMemoryError):
            ray_trial.placement_group_factory = PlacementGroupFactory([{**asked, "GPU": 1.0}])
            ray_trial.invalidate_json_state()
