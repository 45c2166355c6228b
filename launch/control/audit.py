"""Audit of a study: repeat every suggestion, decision and promotion from its event log, and compare."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from groupdir.config.space import StudyConfig
from groupdir.config.trial import configuration_digest
from groupdir.study.events import Event
from groupdir.study.state import StudyState, fold
from launch.control.confirmation import next_training, seed_of_next
from launch.control.stop_rules import budget_spent
from launch.sampling.searcher import propose
from launch.schedulers import Scheduler
from launch.schedulers.base import Decision, decision_on
from launch.study.trial_seeds import TrialSeeds


@dataclass
class Audit:
    """Result of an audit.

    Attributes:
        checked: Kind of choice -> number of choices that were repeated.
        wrong: Description of each choice that came out differently.
    """

    checked: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(["suggestions", "seeds", "decisions", "promotions", "confirmations"], 0)
    )
    wrong: list[str] = field(default_factory=list)

    def compare(self, kind: str, event: Event, logged: Any, expected: Any) -> None:
        """Count a choice, and note it if the logged one differs from the repeated one."""
        self.checked[kind] += 1
        if logged != expected:
            at = f"event {event.seq}, trial {event.trial}, epoch {event.epoch}"
            self.wrong.append(f"{at}: the logged {kind[:-1]} is {logged}, but replaying the log gives {expected}")


def audit(events: Iterable[Event], config: StudyConfig, make_scheduler: Callable[[], Scheduler]) -> Audit:
    """Repeat every choice of a study from the earlier events alone, and compare it with the logged one.

    The choices are those of its search and its confirmation. A search that was killed and resumed must make the same
    choices as a search that ran through, if the epochs arrive in the same order.

    Args:
        events: All events of the study, in the order of arrival.
        config: Configuration with which the study began.
        make_scheduler: Function that returns a new scheduler.
    """
    result, state, scheduler, seeds = Audit(), StudyState(), make_scheduler(), TrialSeeds(config.search)
    due: dict[tuple[int, int], Decision] = {}
    newest = None
    for event in events:
        if event.kind == "changed":
            config = config.changed(event.payload["changes"])
        elif event.kind not in ("driver", "ended"):
            newest = event.trial, event.epoch
        if event.kind == "suggested":
            _check_suggested(result, event, config, state, tuple(scheduler.rung_epochs(state.longest + 1)), seeds)
        fold(state, event)
        trial = state.trials.get(-1 if event.trial is None else event.trial)
        if trial is None or trial.role != "search" or event.epoch is None:
            continue
        if event.kind == "epoch" and not event.payload["last"]:
            row = trial.at(event.epoch)
            assert row is not None
            due[trial.number, event.epoch] = decision_on(scheduler, trial.number, row)
        elif event.kind == "decision":
            decision = due.pop((trial.number, event.epoch), Decision())
            if event.payload.get("cause") == "budget" and (why := budget_spent(config.search, state.epochs)):
                decision = Decision("stop", why, "budget")
            logged = (event.payload["action"], event.payload.get("cause"))
            result.compare("decisions", event, logged, (decision.action, decision.cause))
        elif event.kind == "promoted":
            _check_promotion(result, event, config, state, scheduler)
    for (number, epoch), decision in due.items():
        if decision.reason and newest != (number, epoch):  # a killed driver leaves its last epoch without a decision
            replayed = (decision.action, decision.cause)
            result.wrong.append(
                f"trial {number}, epoch {epoch}: the log has no decision, but replaying the log gives {replayed}"
            )
    return result


def _check_suggested(
    result: Audit, event: Event, config: StudyConfig, state: StudyState, rungs: Sequence[int], seeds: TrialSeeds
) -> None:
    """Compare a logged trial of the search or of a confirmation, and its seeds, with the one that is due."""
    if event.payload.get("role") == "confirmation":
        _check_confirmation(result, event, config, state)
    if event.payload.get("role") != "search":
        return
    expected = propose(config.space, config.search, state.of("search"), rungs, state.warm)
    result.compare("suggestions", event, event.payload.get("params"), expected.params)
    assert event.trial is not None
    built = seeds.seeded(config.space.build(expected.params), event.trial)
    logged_seeds = (event.seed, event.payload["config"].get("stage_seed"))
    result.compare("seeds", event, logged_seeds, (built.seed, built.stage_seed))


def _check_promotion(result: Audit, event: Event, config: StudyConfig, state: StudyState, scheduler: Scheduler) -> None:
    """Compare a logged promotion with the one that is due in the state before it, and pass it to the scheduler."""
    assert event.trial is not None
    assert event.epoch is not None
    trial = state.trials[event.trial]
    trial.status = "paused"
    chosen = _promotion(scheduler, config, state)
    row = trial.at(event.epoch)
    assert row is not None
    rung = row["fidelity"]
    result.compare("promotions", event, (trial.number, rung), chosen)
    trial.status = "running"
    scheduler.promote(trial.number, rung)


def _promotion(scheduler: Scheduler, config: StudyConfig, state: StudyState) -> tuple[Hashable, int] | None:
    """Return the promotion that is due. Small rungs promote only after all others, as in `StudyLoop.following`."""

    def paused(number: Hashable) -> bool:
        return state.trials[int(str(number))].status == "paused"

    trials = state.of("search")
    final = len(trials) >= config.search.trials and not any(trial.status == "running" for trial in trials)
    return scheduler.promotable(paused) or (scheduler.promotable(paused, last=True) if final else None)


def _check_confirmation(result: Audit, event: Event, config: StudyConfig, state: StudyState) -> None:
    """Compare a logged confirmation with the training that is due in the state before it."""
    base = next_training(config, state)
    expected = base and (base.configuration, seed_of_next(config, state, base))
    logged = (configuration_digest(event.payload["config"]), event.seed)
    result.compare("confirmations", event, logged, expected)
