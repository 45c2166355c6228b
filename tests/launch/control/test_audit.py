"""An audit reads the cause of a decision, never its prose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_args

import pytest

from groupdir.errors import DataError
from groupdir.study.events import Cause, Event
from launch.control.audit import Audit, audit
from launch.schedulers import make_scheduler
from tests.launch.simulation.test_clock import config, simulate

SEARCH = config(max_epochs=60)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """A search whose budget ends while trials run."""
    return list(simulate(SEARCH, 4).study.events())


def audited(events: list[Event]) -> Audit:
    return audit(events, SEARCH, lambda: make_scheduler(SEARCH.search))


def changed(events: list[Event], change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> list[Event]:
    """The events with other decisions."""
    return [
        replace(event, payload={**event.payload, **change(event.payload)}) if event.kind == "decision" else event
        for event in events
    ]


def test_every_decision_has_a_known_cause(events: list[Event]) -> None:
    causes = {event.payload["cause"] for event in events if event.kind == "decision"}
    assert {"budget", "few_peers", "rung"} <= causes <= set(get_args(Cause))


@pytest.mark.parametrize("reason", ["Das Budget ist verbraucht", "the budget of 60 epochs is spent", ""])
def test_an_audit_survives_reworded_messages(events: list[Event], reason: str) -> None:
    found = audited(changed(events, lambda payload: {"reason": reason}))
    assert not found.wrong
    assert found.checked["decisions"] == sum(event.kind == "decision" for event in events)


def first(cause: Cause, change: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Changes the first decision of a cause."""
    seen: list[Cause] = []

    def run(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        if payload["cause"] != cause or seen:
            return {}
        seen.append(cause)
        return change

    return run


@pytest.mark.parametrize(
    ("cause", "change"),
    [
        ("rung", {"action": "pause"}),
        ("rung", {"cause": "budget", "action": "stop"}),
        ("few_peers", {"action": "stop", "reason": "the budget of 60 epochs is spent"}),
        ("budget", {"action": "continue"}),
        ("budget", {"cause": "max_t"}),
    ],
)
def test_a_decision_that_does_not_follow_is_found(events: list[Event], cause: Cause, change: Mapping[str, Any]) -> None:
    assert len(audited(changed(events, first(cause, change))).wrong) == 1


def test_a_decision_that_is_missing_is_found(events: list[Event]) -> None:
    rung = next(event for event in events if event.kind == "decision" and event.payload["cause"] == "rung")
    (wrong,) = audited([event for event in events if event is not rung]).wrong
    assert wrong.startswith(f"trial {rung.trial}, epoch {rung.epoch}: the log has no decision")


def test_a_driver_that_was_killed_before_its_last_decision_is_no_mistake(events: list[Event]) -> None:
    rung = next(event for event in events if event.kind == "decision" and event.payload["cause"] == "rung")
    assert not audited(events[: events.index(rung)]).wrong


@pytest.mark.parametrize("entry", ["cause", "action"])
def test_a_decision_without_an_entry_is_told(events: list[Event], entry: str) -> None:
    broken = [
        replace(event, payload={name: value for name, value in event.payload.items() if name != entry})
        if event.kind == "decision"
        else event
        for event in events
    ]
    if entry == "cause":
        assert len(audited(broken).wrong) == sum(event.kind == "decision" for event in events)
    else:
        with pytest.raises(DataError, match=r"event \d+ \(decision\) of the study is broken.*KeyError 'action'"):
            audited(broken)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_small_rungs_promote_after_large_ones(workers: int) -> None:
    """The last trial is promoted from the full first rung, although two trials wait at the small second one."""
    scheduler = {"name": "pareto_asha", "grace_period": 1, "reduction_factor": 2, "mode": "promote"}
    told = config(trials=6, sampler={"name": "random"}, scheduler=scheduler)
    found = audit(list(simulate(told, workers).study.events()), told, lambda: make_scheduler(told.search))
    assert found.checked["promotions"] > 3
    assert not found.wrong
