"""Asynchronous successive halving by the front of several objectives."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from groupdir.config.search import SearchConfig
from launch.pareto import TieBreak, rank
from launch.schedulers.base import Decision
from launch.schedulers.ladder import Ladder, Mode
from launch.schedulers.rung import Rung

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController

__all__ = ["ParetoASHA", "Rung", "rank"]
_ACTIONS = {"continue": TrialScheduler.CONTINUE, "stop": TrialScheduler.STOP, "pause": TrialScheduler.PAUSE}


class ParetoASHA(FIFOScheduler):
    """Lets the best 1/eta of each rung go on, where "best" is the non-dominated front.

    At a rung of n members (all that ever came by, failures too) floor(n / eta) may go on, one at least: whole fronts as
    long as they fit, then the members of the next one by the tie-break. So one whose front fits is never stopped, and
    one with more than n / eta on better fronts never goes on.

    It serves as a scheduler of Ray Tune anywhere (give the searcher its metrics, `TuneConfig` none). A study of
    `launch` asks `decide` instead, with every epoch in its store, and a new driver brings the rungs back by asking
    again; promotions there go through the searcher. Inside is a `Ladder`, which knows nothing of Ray. In another Tuner,
    leave `max_concurrent_trials` out in mode "promote": Ray counts paused trials too, and would wait for ever.

    Args:
        objectives: Metric -> "min" or "max".
        time_attr: The result's entry that counts epochs from 1.
        grace_period: Epochs that every trial gets: the first rung.
        reduction_factor: eta; the next rungs stand at grace_period * eta^k, rounded.
        max_t: Epochs at which a trial ends; None leaves that to the trial.
        tie_break: Order within the front that straddles the cut: "crowding" (Deb et al. 2002) or "epsilon_net"
            (Salinas et al. 2021).
        epsilon: Difference that is noise, for all objectives or by name, such as the seed-to-seed spread: a member then
            dominates another if it is better by more than that somewhere, and worse by more than that nowhere.
        min_peers: A rung with fewer members stops nobody, and promotes nobody while more may come to it.
        mode: "stop" decides when a trial comes to a rung. "promote" pauses it there with a checkpoint, and goes on with
            any paused one that is among the best floor(n / eta) of the whole rung: slower to begin, never wrong later.
        seed: Taken for a uniform interface with other schedulers; no decision is random, equals keep the order in which
            they came.

    Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning"; Schmucker et al. 2021,
    "Multi-objective Asynchronous Successive Halving", for the ranking by fronts.

    Differences from the sources: a trial is compared at the very epoch of a rung only; duplicates count once in the
    tie-break; failures count as losers; small rungs stop nobody.

    Raises:
        ValueError: An argument is none.

    >>> asha = ParetoASHA({"a": "min", "b": "min"}, grace_period=1, reduction_factor=2, max_t=8, min_peers=2)
    >>> asha.decide(0, 1, {"a": 1.0, "b": 4.0}).action, asha.decide(1, 1, {"a": 2.0, "b": 5.0}).action
    ('continue', 'stop')
    >>> asha.decide(2, 1, {"a": 0.5, "b": 9.0}).action
    'stop'
    """

    _supports_buffered_results = False  # a rung must see every epoch in the order of arrival

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

    @classmethod
    def from_config(cls, search: SearchConfig) -> Self:
        """From the section's scheduler and objectives."""
        told = search.scheduler
        return cls(
            search.objectives,
            grace_period=told.grace_period,
            reduction_factor=told.reduction_factor,
            max_t=told.max_t,
            tie_break=told.tie_break,
            epsilon=told.epsilon,
            min_peers=told.min_peers,
            mode=told.mode,
            seed=search.seed,
        )

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """What becomes of a trial after an epoch. Asked again for the same epoch, it says the same again."""
        return self.ladder.decide(trial, epoch, row)

    def rung_epochs(self, last: int) -> Iterable[int]:
        """The rungs below an epoch."""
        return self.ladder.rung_epochs(last)

    def promotable(self, ready: Callable[[Hashable], bool], last: bool = False) -> tuple[Hashable, int] | None:
        """A paused trial to go on with, and its rung, or None. See `Ladder.promotable`."""
        return self.ladder.promotable(ready, last)

    def promote(self, trial: Hashable, epoch: int) -> None:
        """Takes note that a paused trial goes on."""
        self.ladder.promote(trial, epoch)

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """Decides; a result without `time_attr` is an error."""
        if self.time_attr not in result:
            raise ValueError(f"a result must have {self.time_attr!r} (time_attr), got {', '.join(sorted(result))}")
        if not result.get("predicts", True):  # an epoch of a stage that does not predict, as our trainable reports it
            return str(TrialScheduler.CONTINUE)
        return str(_ACTIONS[self.decide(trial.trial_id, int(result[self.time_attr]), result).action])

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> None:
        """It stays on its rungs."""
        self.ladder.forget(trial.trial_id)

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        """It stays on its rungs."""
        self.ladder.forget(trial.trial_id)

    def on_trial_remove(self, tune_controller: TuneController, trial: Trial) -> None:
        """It stays on its rungs."""
        self.ladder.forget(trial.trial_id)

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        """A paused trial with a place first, then a new one; paused trials that nothing can promote are stopped."""
        trials: dict[str, Trial] = {
            trial.trial_id: trial
            for trial in tune_controller.get_trials()  # type: ignore[no-untyped-call]
        }

        def is_paused(name: Hashable) -> bool:
            return name in trials and trials[str(name)].status == Trial.PAUSED

        over = self._over(tune_controller, list(trials.values()))
        found = self.promotable(is_paused, last=over)
        if found is not None:
            self.promote(*found)
            return trials[str(found[0])]
        for trial in trials.values():
            if trial.status == Trial.PENDING:
                return trial
        if over:
            for trial in trials.values():
                if trial.status == Trial.PAUSED:
                    tune_controller.stop_trial(trial)  # type: ignore[no-untyped-call]
        return None

    def _over(self, tune_controller: TuneController, trials: list[Trial]) -> bool:
        """Whether no trial runs, and no new one will come that could make a place."""
        ended = {Trial.PAUSED, Trial.TERMINATED, Trial.ERROR}
        return all(trial.status in ended for trial in trials) and bool(tune_controller.search_alg.is_finished())

    def debug_string(self) -> str:
        """One line for Ray's own table."""
        sizes = ", ".join(f"{epoch}: {len(rung)}" for epoch, rung in sorted(self.ladder.rungs.items()))
        return f"ParetoASHA ({self.ladder.mode}); members of the rungs: {sizes or 'none yet'}"
