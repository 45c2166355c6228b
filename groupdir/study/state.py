"""A study's state: its events, folded one after the other."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from groupdir.files.study_files import EPOCH_REPORT, Role, Status
from groupdir.metrics import sign
from groupdir.study.events import Event


def key_of(params: Mapping[str, Any]) -> str:
    """A text that is the same for equal parameters alone."""
    return json.dumps(params, sort_keys=True)


@dataclass
class TrialState:
    """What is known of one trial.

    Attributes:
        number: From 0.
        seed: The trial's.
        role: What it is for.
        label: Name of the ablation, else empty.
        params: Name of an open parameter -> its value.
        config: `TrialConfig.to_dict()`.
        digest: Of the config.
        metric: The one whose best value selects the trial's epoch.
        status: "running" from the suggestion on.
        started: Whether a worker has begun with it.
        message: Why it failed.
        rows: Its epochs: the entries of `EPOCH_FIELDS`, and the metrics; NaN where there is none.
        decisions: Epoch -> what the scheduler said.
        checkpoint: Folder of the last checkpoint, or None.
        checkpoint_epoch: The epoch that it is of.
        fidelity: Epochs of predicting stages so far. Rungs count these.
        notes: What the sampler wants to remember of it.
        key: Equal for equal parameters.
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
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    decisions: dict[int, str] = field(default_factory=dict)
    checkpoint: str | None = None
    checkpoint_epoch: int = 0
    fidelity: int = 0
    notes: Mapping[str, Any] = field(default_factory=dict)
    key: str = field(init=False, repr=False)
    _by_fidelity: dict[int, Mapping[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.key = key_of(self.params)

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
    def told_to_pause(self) -> bool:
        """Whether the scheduler has paused it where it is, or will once the worker has let go of it."""
        return self.decisions.get(self.epoch) == "pause"

    @property
    def selected(self) -> Mapping[str, Any] | None:
        """The epoch that stands for it, or None before the first."""
        keep = self.config.get("train", {}).get("keep", "best")
        return selected(self.rows, keep, self.metric) if self.rows else None

    def value(self, name: str) -> float:
        """A metric of the selected epoch, or NaN."""
        row = self.selected
        return float(row.get(name, math.nan)) if row else math.nan

    def add(self, row: Mapping[str, Any]) -> None:
        """Take an epoch in."""
        self.rows.append(row)
        if row["predicts"]:
            self._by_fidelity[row["fidelity"]] = row
            self.fidelity = max(self.fidelity, row["fidelity"])

    def at_fidelity(self, fidelity: int) -> Mapping[str, Any] | None:
        """Return the epoch of a predicting stage that has this fidelity, or None before the trial has come to it."""
        return self._by_fidelity.get(fidelity)

    def at(self, epoch: int) -> Mapping[str, Any] | None:
        """What it reported of an epoch, or None."""
        place = epoch - int(self.rows[0]["epoch"]) if self.rows else -1  # the first is late where a stage was taken
        if 0 <= place < len(self.rows) and self.rows[place]["epoch"] == epoch:
            return self.rows[place]
        return next((row for row in self.rows if row["epoch"] == epoch), None)


@dataclass
class StudyState:
    """What is known of a study.

    Attributes:
        trials: By number, in the order of their suggestion.
        elapsed_before: Seconds of earlier drivers.
        session_start: When the driver that runs now began, or None when none runs.
        last_time: When the last event was written.
        runs: How many drivers have begun.
        epochs: Of all trials together.
        longest: The largest fidelity that any trial has come to.
        warm: Trials of earlier studies that the sampler knows: `source`, `params`, `values`.
    """

    trials: dict[int, TrialState] = field(default_factory=dict)
    elapsed_before: float = 0.0
    session_start: float | None = None
    last_time: float = 0.0
    runs: int = 0
    epochs: int = 0
    longest: int = 0
    warm: list[Mapping[str, Any]] = field(default_factory=list)
    _roles: dict[str, list[TrialState]] = field(default_factory=dict, repr=False)

    def of(self, role: Role) -> list[TrialState]:
        """The trials of a role, by number. Do not change the list."""
        return self._roles.get(role, [])

    def count(self, status: Status) -> int:
        """How many trials have a status."""
        return sum(trial.status == status for trial in self.trials.values())

    def elapsed(self, now: float) -> float:
        """Seconds that drivers have worked on it."""
        return self.elapsed_before + (now - self.session_start if self.session_start is not None else 0.0)

    def best(
        self, name: str, keeps: Callable[[Callable[[str], float]], bool] = lambda value: True
    ) -> TrialState | None:
        """Return the finished search trial with the best value of a metric; the earlier one of equals.

        Args:
            name: The metric; its direction says which value is best.
            keeps: Whether a trial may be it, given its value of each metric, such as `SearchConfig.keeps`.
        """
        ended = [trial for trial in self.of("search") if trial.status == "finished"]
        done = [trial for trial in ended if math.isfinite(trial.value(name)) and keeps(trial.value)]
        return min(done, key=lambda trial: sign(name) * trial.value(name), default=None)


def selected(rows: Sequence[Mapping[str, Any]], keep: Literal["best", "last"], metric: str) -> Mapping[str, Any]:
    """Return the epoch that represents a trial.

    Args:
        rows: Its epochs, in order; at least one.
        keep: "best" takes the best value of `metric`, and the earlier one of equals. "last" takes the last.
        metric: Such as `val_mae_all`; its direction says which value is best. Rows without a finite value are skipped.
            If none has one, the last row is taken.

    >>> selected([{"val_mae_all": 3.0}, {"val_mae_all": 2.0}, {"val_mae_all": 2.5}], "best", "val_mae_all")
    {'val_mae_all': 2.0}
    """
    measured = [row for row in rows if (value := row.get(metric)) is not None and math.isfinite(value)]
    if keep == "last" or not measured:
        return rows[-1]
    towards = sign(metric)
    return min(measured, key=lambda row: towards * float(row[metric]))


def fold(state: StudyState, event: Event) -> StudyState:
    """Brings a state to where it is after an event, and gives it back: it is changed, for a long study's sake."""
    if event.kind == "driver":
        _driver(state, event)
    elif event.kind == "warm":
        state.warm += event.payload["trials"]
    elif event.trial is None:
        raise ValueError(f"event {event.seq} ({event.kind}) must have a trial, got none")
    elif event.kind == "suggested":
        trial = state.trials[event.trial] = _suggested(event)
        state._roles.setdefault(trial.role, []).append(trial)
    else:
        _change(state.trials[event.trial], event)
        if event.kind == "epoch":
            state.epochs += 1
            state.longest = max(state.longest, state.trials[event.trial].fidelity)
    state.last_time = event.time
    return state


def replay(events: Iterable[Event]) -> StudyState:
    """The state after all events."""
    state = StudyState()
    for event in events:
        fold(state, event)
    return state


def _driver(state: StudyState, event: Event) -> None:
    """A driver that was killed wrote no end: its last event stands for it."""
    ends = event.payload["action"] == "end"
    end = event.time if ends else state.last_time
    state.elapsed_before += end - state.session_start if state.session_start is not None else 0.0
    state.session_start = None if ends else event.time
    state.runs += not ends


def _suggested(event: Event) -> TrialState:
    assert event.trial is not None
    assert event.seed is not None
    names = ("role", "label", "params", "config", "digest", "metric")
    about = {name: event.payload[name] for name in names}
    return TrialState(event.trial, event.seed, **about, notes=event.payload.get("notes", {}))


def _change(trial: TrialState, event: Event) -> None:
    payload = event.payload
    if event.kind == "started":
        trial.started = True
    elif event.kind == "epoch":
        metrics = {name: math.nan if value is None else value for name, value in payload["metrics"].items()}
        row = {name: payload[name] for name in EPOCH_REPORT}
        trial.add({"seq": event.seq, "epoch": event.epoch, "time": event.time} | row | metrics)
    elif event.kind == "decision":
        assert event.epoch is not None
        trial.decisions[event.epoch] = payload["action"]
    elif event.kind == "checkpoint":
        trial.checkpoint, trial.checkpoint_epoch = payload["path"], event.epoch or 0
    elif event.kind == "paused":
        trial.status = "paused"
    elif event.kind == "promoted":
        trial.status = "running"
        if event.epoch is not None:
            trial.decisions[event.epoch] = "continue"  # until its next epoch it stands where it was told to pause
    elif event.kind == "finished":
        trial.status, trial.checkpoint = "finished", payload.get("checkpoint")
    elif event.kind == "stopped":
        trial.status, trial.checkpoint = "stopped", None
    else:
        trial.status, trial.message, trial.checkpoint = "failed", payload["message"], None
