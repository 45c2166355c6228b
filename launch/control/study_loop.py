"""Study loop: chooses the next trial and decides which trials continue, under Ray and in a simulation alike."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, Literal

from groupdir.files.study_files import EPOCH_REPORT, Role, Status
from groupdir.study.state import TrialState
from launch.control.confirmation import suggest_confirmation, unfinished_round
from launch.control.stop_rules import budget_spent, enough, equal_failures, hopeless, search_over
from launch.sampling.searcher import propose
from launch.schedulers import Scheduler
from launch.schedulers.base import Action, decision_on
from launch.study.new_trial import record_trial
from launch.study.study import Study
from launch.study.trial_seeds import TrialSeeds

WAIT: Literal["wait"] = "wait"
OVER: Literal["over"] = "over"
Next = int | Literal["wait", "over"]


class StudyLoop:
    """Loop that runs one phase of a study: the search, the confirmation or the ablations.

    All its state follows from the events of the study, so that the loop of a resumed study makes the same choices.

    Args:
        study: The study, with an event log on disk or in memory.
        scheduler: A new scheduler. The constructor replays the events of the study into it.
        metric: Metric whose best value selects the epoch of a trial.
        role: The phase. The trials of "ablation" are suggested before their phase, those of the others by the loop.
        running: Numbers of the trials that workers are training already, so that they are not started again.
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
        self._seeds = TrialSeeds.of(study)
        self._settled: list[Status] | None = None
        self._replay()
        unfinished = [trial.number for trial in study.state.of(role) if trial.status == "running"]
        self._waiting = deque(number for number in unfinished if number not in set(running))

    def following(self) -> Next:
        """Return the number of the next trial, `WAIT` if none can start now, or `OVER` at the end of the phase.

        Trials that an earlier driver left unfinished come first, then promoted trials, then new ones.
        """
        study, search = self._study, self._study.config.search
        if self._waiting:
            return self._waiting.popleft()
        if self._role == "confirmation" and (number := self._confirm()) is not None:
            return number
        over = self._role != "search" or self._enough()
        if not over and hopeless(search, study.state) == "undecided":
            return WAIT
        if not over:
            if promotion := self._scheduler.promotable(self._is_paused):
                return self._promote(*promotion)
            if len(study.state.of("search")) < search.trials:
                return self._suggest()
        if any(trial.status == "running" for trial in study.state.of(self._role)):
            return WAIT
        if not over and (promotion := self._scheduler.promotable(self._is_paused, last=True)):
            return self._promote(*promotion)
        for trial in study.state.of(self._role):
            if trial.status == "paused":
                study.append("stopped", trial=trial.number)
        return OVER

    def report(self, trial: int, row: Mapping[str, Any]) -> Action:
        """Write an epoch of a trial to the event log, then return whether the trial continues, stops or pauses.

        Args:
            trial: Number of the trial.
            row: `epoch`, `seed`, `done` (Ray's name for `last`), the other entries of `EPOCH_REPORT`, and the metrics.
        """
        self.record(trial, row)
        if row["done"]:
            return "continue"
        return self._decide(self._study.state.trials[trial], int(row["epoch"]), row, self._study.state.epochs)

    def record(self, trial: int, row: Mapping[str, Any]) -> bool:
        """Write an epoch of a trial to the event log. A second report of an epoch changes nothing.

        Returns:
            True if the epoch is new.
        """
        if self._study.state.trials[trial].at(int(row["epoch"])) is not None:
            return False
        reported = {**row, "last": row["done"]}  # `done` is Ray's name for `last`
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

    def has_work(self) -> bool:
        """Return whether trials of this phase remain to be run."""
        if self._role == "confirmation":
            return unfinished_round(self._study.state, self._study.config)
        return bool(self._waiting) or (
            self._role == "search" and not search_over(self._study.config.search, self._study.state)
        )

    def _enough(self) -> bool:
        """Return whether the search should start no further trial. Write its end after equal failures to the log."""
        study, search = self._study, self._study.config.search
        if not study.state.ended and hopeless(search, study.state) == "yes":
            count, message = equal_failures(search, study.state)
            failed = f"{count} trials have failed with the same error" if count > 1 else "the only trial has failed"
            reason = f"{failed} and none has succeeded: {message}"
            study.append("ended", payload={"cause": "equal_failures", "reason": reason})
        return bool(enough(search, study.state))

    def _suggest(self) -> int:
        study = self._study
        space, search, state = study.config.space, study.config.search, study.state
        rungs = tuple(self._scheduler.rung_epochs(state.longest + 1))
        suggestion = propose(space, search, state.of("search"), rungs, state.warm)
        config = self._seeds.seeded(space.build(suggestion.params), len(state.trials))
        return record_trial(study, config, suggestion.params, "search", "", self._metric, suggestion.notes)

    def _confirm(self) -> int | None:
        """Add the next confirmation. Once there is none, the slow choice waits until a trial has ended."""
        moment = [trial.status for trial in self._study.state.trials.values()]
        if moment == self._settled:
            return None
        number = suggest_confirmation(self._study, self._metric)
        self._settled = moment if number is None else None
        return number

    def _promote(self, trial: Any, rung: int) -> int:
        self._scheduler.promote(trial, rung)
        row = self._study.state.trials[trial].at_fidelity(rung)
        assert row is not None, "the trial has paused at this rung"
        self._study.append("promoted", trial=trial, epoch=row["epoch"])
        return int(trial)

    def _is_paused(self, trial: Any) -> bool:
        return self._study.state.trials[trial].status == "paused"

    def _decide(self, trial: TrialState, epoch: int, row: Mapping[str, Any], spent: int) -> Action:
        """Return the decision about an epoch, and write it to the event log unless the log has one already."""
        decision = decision_on(self._scheduler, trial.number, row)
        if trial.decisions.get(epoch) == "stop":
            return "stop"
        action, reason, cause = decision.action, decision.reason, decision.cause
        if action == "pause" and trial.decisions.get(epoch) == "continue":
            action = "continue"  # promoted already; it repeats the rung because its checkpoint was lost
        if action != "stop" and self._role == "search" and (why := budget_spent(self._study.config.search, spent)):
            action, reason, cause = "stop", why, "budget"
        if reason and epoch not in trial.decisions:
            payload = {"action": action, "cause": cause, "reason": reason}
            self._study.append("decision", trial=trial.number, seed=trial.seed, epoch=epoch, payload=payload)
        return action

    def _replay(self) -> None:
        """Restore the scheduler by replaying the event log in the order of arrival, and complete interrupted steps.

        - A decision that the last driver could not write any more is written now.
        - A trial with the decision "stop" that still runs is stopped.
        - A trial with the decision "pause" that still runs is paused if it has a checkpoint of its last epoch.
          Otherwise it trains up to the rung again.
        """
        state, spent = self._study.state, 0
        # A list, because the loop appends events; without payloads, which take hundreds of megabytes in a long study.
        replayed = ((each.kind, each.trial, each.epoch) for each in self._study.events())
        for kind, number, epoch in [entry for entry in replayed if entry[0] in ("epoch", "promoted")]:
            trial = state.trials.get(-1 if number is None else number)
            if trial is None or epoch is None or trial.role != self._role:
                spent += kind == "epoch"
                continue
            row = trial.at(epoch)
            if kind == "promoted" and row is not None:
                self._scheduler.promote(trial.number, row["fidelity"])
            elif kind == "epoch":
                spent += 1
                if row is not None and not row["last"]:
                    self._decide(trial, epoch, row, spent)
        for trial in state.of(self._role):
            if trial.status == "running" and trial.stop_decided:
                self._study.append("stopped", trial=trial.number)
            elif trial.status == "running" and trial.pause_decided and trial.checkpoint_epoch == trial.epoch:
                self._study.append("paused", trial=trial.number)
