"""Who runs next, and what becomes of whom: the same object under Ray and under the simulator's clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, Literal

from groupdir.files.study_files import EPOCH_REPORT, Role
from groupdir.study.state import TrialState
from launch.control.stop_rules import budget_spent, enough
from launch.sampling.searcher import propose
from launch.schedulers import Scheduler
from launch.schedulers.base import Action, decision_on
from launch.study.new_trial import record_trial
from launch.study.study import Study

WAIT: Literal["wait"] = "wait"
OVER: Literal["over"] = "over"
Next = int | Literal["wait", "over"]


class StudyLoop:
    """Leads one phase of a study. All it knows follows from the study's events, so that a new one goes on as the old.

    Args:
        study: The study, with a store of any kind.
        scheduler: A new one; it is brought to where the events say it stands.
        metric: The one whose best value selects a trial's epoch.
        role: The phase: new trials are suggested in "search" alone.
        running: Trials that workers are still at, and that need not be handed out again.
    """

    def __init__(
        self,
        study: Study,
        scheduler: Scheduler,
        metric: str,
        role: Role = "search",
        running: Collection[int] = (),
    ) -> None:
        self._study = study
        self._scheduler = scheduler
        self._metric = metric
        self._role: Role = role
        self._replay()
        left = [trial.number for trial in study.state.of(role) if trial.status == "running"]
        self._waiting = deque(number for number in left if number not in set(running))

    def following(self) -> Next:
        """The trial to run next: one that an earlier driver left, one that is promoted, a new one; or wait; or over."""
        study, search = self._study, self._study.config.search
        if self._waiting:
            return self._waiting.popleft()
        over = self._role != "search" or enough(search, study.state)
        if not over:
            if found := self._scheduler.promotable(self._is_paused):
                return self._promote(*found)
            if len(study.state.of("search")) < search.trials:
                return self._suggest()
        if any(trial.status == "running" for trial in study.state.of(self._role)):
            return WAIT
        if not over and (found := self._scheduler.promotable(self._is_paused, last=True)):
            return self._promote(*found)
        for trial in study.state.of(self._role):
            if trial.status == "paused":
                study.append("stopped", trial=trial.number)
        return OVER

    def report(self, trial: int, row: Mapping[str, Any]) -> Action:
        """Writes an epoch of a trial down, then decides what becomes of it.

        Args:
            trial: Its number.
            row: `epoch`, `seed`, `done` (Ray's name of `last`), the other entries of `EPOCH_REPORT`, and the metrics.
        """
        self.record(trial, row)
        if row["done"]:
            return "continue"
        return self._decide(self._study.state.trials[trial], int(row["epoch"]), row, self._study.state.epochs)

    def record(self, trial: int, row: Mapping[str, Any]) -> bool:
        """Writes an epoch down. A second report of it changes nothing.

        Returns:
            Whether it is new.
        """
        if self._study.state.trials[trial].at(int(row["epoch"])) is not None:
            return False
        reported = {**row, "last": row["done"]}  # Ray calls it done
        return self._study.append(
            "epoch",
            trial=trial,
            seed=int(row["seed"]),
            epoch=int(row["epoch"]),
            payload={
                **{name: kind(reported[name]) for name, kind in EPOCH_REPORT.items()},
                "metrics": {name: float(value) for name, value in row.items() if name.startswith(("train_", "val_"))},
            },
        )

    def left(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._waiting) or (self._role == "search" and not self._ended())

    def _ended(self) -> bool:
        trials, search = self._study.state.of("search"), self._study.config.search
        if any(trial.status in ("running", "paused") for trial in trials):
            return False
        return len(trials) >= search.trials or bool(enough(search, self._study.state))

    def _suggest(self) -> int:
        study = self._study
        space, search, state = study.config.space, study.config.search, study.state
        rungs = tuple(self._scheduler.rung_epochs(state.longest + 1))
        found = propose(space, search, state.of("search"), rungs, state.warm)
        config = space.build(found.params)
        return record_trial(study, config, found.params, "search", "", self._metric, found.notes)

    def _promote(self, trial: Any, rung: int) -> int:
        self._scheduler.promote(trial, rung)
        row = self._study.state.trials[trial].at_fidelity(rung)
        assert row is not None, "the trial has paused at this rung"
        self._study.append("promoted", trial=trial, epoch=row["epoch"])
        return int(trial)

    def _is_paused(self, trial: Any) -> bool:
        return self._study.state.trials[trial].status == "paused"

    def _decide(self, trial: TrialState, epoch: int, row: Mapping[str, Any], spent: int) -> Action:
        """Asks the scheduler and writes what it says, once for each epoch."""
        decision = decision_on(self._scheduler, trial.number, row)
        if trial.decisions.get(epoch) == "stop":
            return "stop"
        action, reason, cause = decision.action, decision.reason, decision.cause
        if action == "pause" and trial.decisions.get(epoch) == "continue":
            action = "continue"  # it was promoted, and comes there again because its checkpoint was lost
        if action != "stop" and self._role == "search" and (why := budget_spent(self._study.config.search, spent)):
            action, reason, cause = "stop", why, "budget"
        if reason and epoch not in trial.decisions:
            payload = {"action": action, "cause": cause, "reason": reason}
            self._study.append("decision", trial=trial.number, seed=trial.seed, epoch=epoch, payload=payload)
        return action

    def _replay(self) -> None:
        """Asks the scheduler again, with what is recorded, in the order of its arrival.

        A decision that the last driver did not come to write is written now; trials that were told to stop, but were
        not yet, are stopped; those told to pause are paused if their checkpoint is there, else they come there again.
        """
        state, spent = self._study.state, 0
        for event in list(self._study.events()):
            trial = state.trials.get(-1 if event.trial is None else event.trial)
            if trial is None or event.epoch is None or trial.role != self._role:
                spent += event.kind == "epoch"
                continue
            row = trial.at(event.epoch)
            if event.kind == "promoted" and row is not None:
                self._scheduler.promote(trial.number, row["fidelity"])
            elif event.kind == "epoch":
                spent += 1
                if row is not None and not row["last"]:
                    self._decide(trial, event.epoch, row, spent)
        for trial in state.of(self._role):
            if trial.status == "running" and trial.told_to_stop:
                self._study.append("stopped", trial=trial.number)
            elif trial.status == "running" and trial.told_to_pause and trial.checkpoint_epoch == trial.epoch:
                self._study.append("paused", trial=trial.number)
