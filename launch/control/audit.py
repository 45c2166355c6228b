"""An audit of a study: repeat every suggestion, decision and promotion from its event log, and compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from groupdir.config.space import StudyConfig
from groupdir.study.events import Event
from groupdir.study.state import StudyState, fold
from launch.control.stop_rules import budget_spent
from launch.sampling.searcher import propose
from launch.schedulers import Scheduler
from launch.schedulers.base import Decision, decision_on


@dataclass
class Audit:
    """What was found.

    Attributes:
        checked: Kind of choice -> how many were made again.
        wrong: Those that came out differently, in words.
    """

    checked: dict[str, int] = field(default_factory=lambda: {"suggestions": 0, "decisions": 0, "promotions": 0})
    wrong: list[str] = field(default_factory=list)

    def compare(self, kind: str, event: Event, found: Any, expected: Any) -> None:
        """Counts a choice, and notes it where it is another one."""
        self.checked[kind] += 1
        if found != expected:
            at = f"event {event.seq}, trial {event.trial}, epoch {event.epoch}"
            self.wrong.append(f"{at}: {kind[:-1]} is {found}, but follows as {expected}")


def audit(events: Iterable[Event], config: StudyConfig, make_scheduler: Callable[[], Scheduler]) -> Audit:
    """Makes every choice of a study's search again, from the events before it alone.

    So a search that was killed and resumed is held against one that never was: for the same arrivals, the same choices.

    Args:
        events: All, in the order of arrival.
        config: The study's.
        make_scheduler: Makes a new scheduler.
    """
    found, state, scheduler = Audit(), StudyState(), make_scheduler()
    due: dict[tuple[int, int], Decision] = {}
    for event in events:
        if event.kind == "suggested" and event.payload["role"] == "search":
            rungs = tuple(scheduler.rung_epochs(state.longest + 1))
            expected = propose(config.space, config.search, state.of("search"), rungs, state.warm)
            found.compare("suggestions", event, event.payload["params"], expected.params)
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
            if event.payload["cause"] == "budget" and (why := budget_spent(config.search, state.epochs)):
                decision = Decision("stop", why, "budget")
            logged = (event.payload["action"], event.payload["cause"])
            found.compare("decisions", event, logged, (decision.action, decision.cause))
        elif event.kind == "promoted":
            trial.status = "paused"
            all_there = len(state.of("search")) >= config.search.trials
            alone = all_there and not any(other.status == "running" for other in state.of("search"))
            chosen = scheduler.promotable(lambda number: state.trials[int(str(number))].status == "paused", alone)
            row = trial.at(event.epoch)
            assert row is not None
            rung = row["fidelity"]
            found.compare("promotions", event, (trial.number, rung), chosen)
            trial.status = "running"
            scheduler.promote(trial.number, rung)
    return found
