"""A study's state as a pure function of its events: fold(state, event) -> state."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from groupdir.records import Status, selected
from launch.store import Event

Role = Literal["search", "ablation"]
_NOTHING: Mapping[int, Any] = MappingProxyType({})


@dataclass(frozen=True)
class TrialState:
    """What is known of one trial.

    Attributes:
        number: From 0.
        seed: The trial's.
        role: What it is for.
        label: Name of the ablation, else empty.
        params: Name of an open leaf -> its value.
        config: `TrialConfig.to_dict()`.
        digest: Of the config.
        metric: The one whose lowest value selects the trial's epoch.
        status: "running" from the suggestion on.
        started: Whether a worker has begun with it.
        message: Why it failed.
        rows: Its epochs: `seq` (order of arrival), `epoch`, `stage`, `seconds`, `time`, `last`, and the metrics; NaN
            where there is none.
        decisions: Epoch -> what the scheduler said.
        checkpoint: Folder of the last checkpoint, or None.
    """

    number: int
    seed: int
    role: Role
    label: str
    params: Mapping[str, Any]
    config: Mapping[str, Any]
    digest: str
    metric: str
    status: Status = "running"
    started: bool = False
    message: str = ""
    rows: tuple[Mapping[str, Any], ...] = ()
    decisions: Mapping[int, str] = field(default_factory=lambda: _NOTHING)
    checkpoint: str | None = None

    @property
    def epoch(self) -> int:
        """The last epoch that it has reached."""
        return int(self.rows[-1]["epoch"]) if self.rows else 0

    @property
    def seconds(self) -> float:
        """What its epochs took."""
        return sum(float(row["seconds"]) for row in self.rows)

    @property
    def complete(self) -> bool:
        """Whether its last epoch is there."""
        return bool(self.rows) and bool(self.rows[-1]["last"])

    @property
    def told_to_stop(self) -> bool:
        """Whether the scheduler has stopped it."""
        return "stop" in self.decisions.values()

    @property
    def selected(self) -> Mapping[str, Any] | None:
        """The epoch that stands for it, or None before the first."""
        keep = self.config.get("train", {}).get("keep", "best")
        return selected(self.rows, keep, self.metric) if self.rows else None

    def value(self, name: str) -> float:
        """A metric of the selected epoch, or NaN."""
        row = self.selected
        return float(row.get(name, math.nan)) if row else math.nan


@dataclass(frozen=True)
class StudyState:
    """What is known of a study.

    Attributes:
        trials: By number, in the order of their suggestion.
        elapsed_before: Seconds of earlier drivers.
        session_start: When the driver that runs now began, or None when none runs.
        last_time: When the last event was written.
        runs: How many drivers have begun.
    """

    trials: Mapping[int, TrialState] = field(default_factory=lambda: _NOTHING)
    elapsed_before: float = 0.0
    session_start: float | None = None
    last_time: float = 0.0
    runs: int = 0

    def of(self, role: Role) -> list[TrialState]:
        """The trials of a role, by number."""
        return [trial for _, trial in sorted(self.trials.items()) if trial.role == role]

    def count(self, status: Status) -> int:
        """How many trials have a status."""
        return sum(trial.status == status for trial in self.trials.values())

    def elapsed(self, now: float) -> float:
        """Seconds that drivers have worked on it."""
        return self.elapsed_before + (now - self.session_start if self.session_start is not None else 0.0)

    def best(self, name: str, mode: str) -> TrialState | None:
        """The finished search trial with the best value of a metric; the earlier one of equals."""
        sign = 1 if mode == "min" else -1
        done = [t for t in self.of("search") if t.status == "finished" and math.isfinite(t.value(name))]
        return min(done, key=lambda trial: sign * trial.value(name), default=None)


def fold(state: StudyState, event: Event) -> StudyState:
    """The state after an event. Neither argument is changed."""
    if event.kind == "driver":
        return _driver(state, event)
    if event.trial is None:
        raise ValueError(f"event {event.seq} ({event.kind}) must have a trial, got none")
    trial = _suggested(event) if event.kind == "suggested" else _changed(state.trials[event.trial], event)
    return replace(state, trials={**state.trials, event.trial: trial}, last_time=event.time)


def replay(events: Iterable[Event]) -> StudyState:
    """The state after all events."""
    state = StudyState()
    for event in events:
        state = fold(state, event)
    return state


def _driver(state: StudyState, event: Event) -> StudyState:
    """A driver that was killed wrote no end: its last event stands for it."""
    ends = event.payload["action"] == "end"
    end = event.time if ends else state.last_time
    worked = end - state.session_start if state.session_start is not None else 0.0
    return replace(
        state,
        elapsed_before=state.elapsed_before + worked,
        session_start=None if ends else event.time,
        last_time=event.time,
        runs=state.runs + (not ends),
    )


def _suggested(event: Event) -> TrialState:
    assert event.trial is not None
    assert event.seed is not None
    names = ("role", "label", "params", "config", "digest", "metric")
    return TrialState(event.trial, event.seed, **{name: event.payload[name] for name in names})


def _changed(trial: TrialState, event: Event) -> TrialState:
    payload = event.payload
    if event.kind == "started":
        return replace(trial, started=True)
    if event.kind == "epoch":
        metrics = {name: math.nan if value is None else value for name, value in payload["metrics"].items()}
        row = {name: payload[name] for name in ("stage", "seconds", "last")}
        own = {"seq": event.seq, "epoch": event.epoch, "time": event.time}
        return replace(trial, rows=(*trial.rows, {**own, **row, **metrics}))
    if event.kind == "decision":
        assert event.epoch is not None
        return replace(trial, decisions={**trial.decisions, event.epoch: payload["action"]})
    if event.kind == "checkpoint":
        return replace(trial, checkpoint=payload["path"])
    if event.kind == "finished":
        return replace(trial, status="finished", checkpoint=payload.get("checkpoint"))
    if event.kind == "stopped":
        return replace(trial, status="stopped", checkpoint=None)
    return replace(trial, status="failed", message=payload["message"], checkpoint=None)
