"""Asynchronous successive halving by the front of several objectives, as a scheduler of Ray Tune."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from launch.pareto import TieBreak
from launch.schedulers.base import Decision
from launch.schedulers.ladder import Ladder, Mode

if TYPE_CHECKING:
    from launch.on_ray.private import Controller

_ACTIONS = {"continue": TrialScheduler.CONTINUE, "stop": TrialScheduler.STOP, "pause": TrialScheduler.PAUSE}


class ParetoASHA(FIFOScheduler):
    """Scheduler that lets the best 1/eta of each rung continue, where "best" is the non-dominated front.

    Of the n trials that ever reached a rung, failed ones included, floor(n / eta) may continue, and at least one: whole
    fronts as long as they fit, then members of the next front by the tie-break. A trial whose front fits is therefore
    never stopped. A trial with more than n / eta others on better fronts never continues.

    Use it in any Tuner, and pass the metrics to the searcher, not to `TuneConfig`. Leave out `max_concurrent_trials` in
    mode "promote", because Ray counts paused trials too and would wait for ever. The decisions are made by a `Ladder`,
    which does not use Ray. A study of `launch` uses the ladder without this class.

    Args:
        objectives: Metric -> "min" or "max".
        time_attr: Entry of the results that counts epochs from 1.
        grace_period: Epochs that every trial gets, which is the epoch of the first rung.
        reduction_factor: Factor eta. The later rungs stand at grace_period * eta^k, rounded.
        max_t: Epoch at which every trial ends, or None if trials end by themselves.
        tie_break: Order within the front that straddles the cut: "crowding" (Deb et al. 2002) or "epsilon_net"
            (Salinas et al. 2021).
        epsilon: Difference that counts as noise, such as the spread between seeds, for all objectives or by name. A
            member then dominates another if it is better by more than epsilon in one objective and worse by more than
            epsilon in none.
        min_peers: Minimal size of a rung. A smaller rung stops no trial, and promotes none while more trials may reach
            it.
        mode: "stop" decides once, when a trial reaches a rung. "promote" pauses each trial at a rung with a checkpoint,
            and continues any paused trial that is among the best floor(n / eta) of the whole rung. It is slower at
            first, but does not stop a trial that turns out to be among the best.
        seed: Accepted for the same signature as other schedulers, but unused. No decision is random, and equal trials
            keep the order of their arrival.

    Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning"; Schmucker et al. 2021,
    "Multi-objective Asynchronous Successive Halving", for the ranking by fronts.

    Differences from the sources: a trial is compared exactly at the epoch of a rung. Duplicates count once in the
    tie-break. Failed trials rank last. Small rungs stop no trial.

    Raises:
        ValueError: If an argument is invalid. In mode "promote", `Tuner.fit` raises it if a trainable writes no
            checkpoint.

    >>> asha = ParetoASHA({"a": "min", "b": "min"}, grace_period=1, reduction_factor=2, max_t=8, min_peers=2)
    >>> asha.decide(0, 1, {"a": 1.0, "b": 4.0}).action, asha.decide(1, 1, {"a": 2.0, "b": 5.0}).action
    ('continue', 'stop')
    >>> asha.decide(2, 1, {"a": 0.5, "b": 9.0}).action
    'stop'
    """

    def __init__(
        self,
        objectives: Mapping[str, str],
        time_attr: str = "epoch",
        grace_period: int = 1,
        reduction_factor: float = 3,
        max_t: int | None = None,
        *,
        tie_break: TieBreak = "crowding",
        epsilon: float | Mapping[str, float] = 0.0,
        min_peers: int = 3,
        mode: Mode = "stop",
        seed: int = 0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.time_attr = time_attr
        self.seed = seed
        self.ladder = Ladder(
            objectives,
            grace_period=grace_period,
            reduction_factor=reduction_factor,
            max_t=max_t,
            tie_break=tie_break,
            epsilon=epsilon,
            min_peers=min_peers,
            mode=mode,
        )

    @property
    def supports_buffered_results(self) -> bool:
        """False, because a rung must see every epoch in the order of arrival."""
        return False

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """Return the decision about a trial after an epoch. A second call for the same epoch returns the same."""
        return self.ladder.decide(trial, epoch, row)

    def rung_epochs(self, last: int) -> Iterable[int]:
        """Return the epochs of the rungs below `last`."""
        return self.ladder.rung_epochs(last)

    def promotable(self, ready: Callable[[Hashable], bool], last: bool = False) -> tuple[Hashable, int] | None:
        """Return a paused trial that may continue and the epoch of its rung, or None. See `Ladder.promotable`."""
        return self.ladder.promotable(ready, last)

    def promote(self, trial: Hashable, epoch: int) -> None:
        """Register that a paused trial continues."""
        self.ladder.promote(trial, epoch)

    def on_trial_result(self, tune_controller: Controller, trial: Trial, result: dict[str, Any]) -> str:
        """Return the decision for Ray.

        Raises:
            ValueError: If the result lacks `time_attr`.
        """
        if self.time_attr not in result:
            raise ValueError(f"a result must have {self.time_attr!r} (time_attr), got {', '.join(sorted(result))}")
        if not result.get("predicts", True):  # our trainable reports that this stage does not predict
            return str(TrialScheduler.CONTINUE)
        return str(_ACTIONS[self.decide(trial.trial_id, int(result[self.time_attr]), result).action])

    def on_trial_complete(self, tune_controller: Controller, trial: Trial, result: dict[str, Any]) -> None:
        """Register that a trial has ended. It stays a member of its rungs."""
        self.ladder.forget(trial.trial_id)

    def on_trial_error(self, tune_controller: Controller, trial: Trial) -> None:
        """Register that a trial has ended. It stays a member of its rungs."""
        self.ladder.forget(trial.trial_id)

    def on_trial_remove(self, tune_controller: Controller, trial: Trial) -> None:
        """Register that a trial has ended. It stays a member of its rungs."""
        self.ladder.forget(trial.trial_id)

    def choose_trial_to_run(self, tune_controller: Controller) -> Trial | None:
        """Return a promoted trial, else a new one, else None. At the end, stop the paused trials that remain."""
        trials: dict[str, Trial] = {
            trial.trial_id: trial
            for trial in tune_controller.get_trials()  # type: ignore[no-untyped-call]
        }

        def is_paused(name: Hashable) -> bool:
            return name in trials and trials[str(name)].status == Trial.PAUSED

        over = self._over(tune_controller, list(trials.values()))
        promoted = self.promotable(is_paused, last=over)
        if promoted is not None:
            self.promote(*promoted)
            return _with_checkpoint(trials[str(promoted[0])], promoted[1])
        for trial in trials.values():
            if trial.status == Trial.PENDING:
                return trial
        if over:
            for trial in trials.values():
                if trial.status == Trial.PAUSED:
                    tune_controller.stop_trial(trial)  # type: ignore[no-untyped-call]
        return None

    def _over(self, tune_controller: Controller, trials: list[Trial]) -> bool:
        """Return whether no trial runs and no new one will start, so that the rungs have reached their final size."""
        ended = {Trial.PAUSED, Trial.TERMINATED, Trial.ERROR}
        return all(trial.status in ended for trial in trials) and bool(tune_controller.search_alg.is_finished())

    def debug_string(self) -> str:
        """Return one line for the status output of Ray."""
        sizes = ", ".join(f"{epoch}: {len(rung)}" for epoch, rung in sorted(self.ladder.rungs.items()))
        return f"ParetoASHA ({self.ladder.mode}); members of the rungs: {sizes or 'none yet'}"


def _with_checkpoint(trial: Trial, epoch: int) -> Trial:
    """Return a promoted trial if it has a checkpoint. Without one it would start again and pause at the same rung.

    Raises:
        ValueError: If the trial has no checkpoint.
    """
    if trial.checkpoint is None:
        raise ValueError(
            f"trial {trial.trial_id} is promoted at epoch {epoch}, but its trainable wrote no checkpoint to continue "
            'from: save one in each reported epoch, or set mode to "stop"'
        )
    return trial
