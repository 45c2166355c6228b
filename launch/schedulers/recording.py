"""What Ray talks to: writes every epoch down, then asks a scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from launch.schedulers.base import Scheduler
from launch.study import Study

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial

METRICS = ("train_", "val_")


def record_epoch(study: Study, result: Mapping[str, Any]) -> bool:
    """Writes a reported epoch; a second report of it changes nothing.

    Returns:
        Whether it is new.
    """
    return study.append(
        "epoch",
        trial=int(result["trial"]),
        seed=int(result["seed"]),
        epoch=int(result["epoch"]),
        payload={
            "stage": result["stage"],
            "seconds": float(result["seconds"]),
            "last": bool(result["done"]),
            "metrics": {name: float(value) for name, value in result.items() if name.startswith(METRICS)},
        },
    )


def replay_decisions(study: Study, scheduler: Scheduler) -> None:
    """Brings a new scheduler to where the last driver's stood, from the recorded epochs in the order of their arrival.

    A decision that the last driver did not come to write is written now; trials that were told to stop, but were not
    yet, are stopped.
    """
    rows = [(row["seq"], trial.number, row) for trial in study.state.of("search") for row in trial.rows]
    for _, number, row in sorted(rows, key=lambda item: item[0]):
        if not row["last"]:
            decide(study, scheduler, number, row["epoch"], row)
    for trial in study.state.of("search"):
        if trial.status == "running" and trial.told_to_stop:
            study.append("stopped", trial=trial.number)


def decide(study: Study, scheduler: Scheduler, number: int, epoch: int, metrics: Mapping[str, Any]) -> str:
    """Asks the scheduler and writes what it says, once for each epoch."""
    decision = scheduler.decide(number, epoch, metrics)
    trial = study.state.trials[number]
    if decision.reason and epoch not in trial.decisions:
        payload = {"action": decision.action, "reason": decision.reason}
        study.append("decision", trial=number, seed=trial.seed, epoch=epoch, payload=payload)
    return decision.action


class RecordingScheduler(FIFOScheduler):
    """Trials run in their order; an epoch is in the store before anything is decided about it.

    Args:
        study: Where to write.
        scheduler: Whom to ask.
    """

    _supports_buffered_results = False  # buffered rows would reach the store late, and the rungs with them

    def __init__(self, study: Study, scheduler: Scheduler) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._study = study
        self._scheduler = scheduler

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """Ray does not call it for a trial's last epoch: that one is written by `launch.recorder.Recorder`."""
        record_epoch(self._study, result)
        action = decide(self._study, self._scheduler, int(result["trial"]), int(result["epoch"]), result)
        return str(TrialScheduler.STOP if action == "stop" else TrialScheduler.CONTINUE)
