"""State of a study, computed from its events in order."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from sys import intern
from typing import Any, Literal

from groupdir.config.trial import configuration_digest
from groupdir.errors import DataError
from groupdir.files.study_files import EPOCH_REPORT, Role, Status
from groupdir.metrics import sign
from groupdir.study.events import Event
from groupdir.study.pace import Pace

_PROGRESS = frozenset({"epoch", "paused", "finished", "stopped", "failed"})
"""Kinds of events that record the progress or the end of a trial."""


def key_of(params: Mapping[str, Any]) -> str:
    """Return a text that is the same for two sets of parameters if and only if they are equal."""
    return json.dumps(params, sort_keys=True)


@dataclass
class TrialState:
    """State of one trial.

    Attributes:
        number: Number of the trial, from 0.
        seed: Seed of the trial.
        role: Role of the trial: part of the search, a confirmation, or an ablation.
        label: Name of the ablation, the trial that a confirmation trains again, or empty.
        params: Name of an open parameter -> its value.
        config: `TrialConfig.to_dict()` of the trial.
        digest: Digest of the config.
        metric: Name of the metric whose best value selects the trial's epoch.
        status: Status of the trial, which is "running" from the suggestion on.
        started: Whether a worker has started the trial since the start of the driver, or since the trial last paused. A
            trial with the status "running" waits for a worker until then.
        message: Reason of the failure, or empty.
        rows: Epochs of the trial: the entries of `EPOCH_FIELDS` and the metrics. A missing value is NaN.
        decisions: Epoch -> action that the scheduler decided.
        checkpoint: Folder of the last checkpoint, or None.
        checkpoint_epoch: Epoch of the last checkpoint.
        fidelity: Epochs of predicting stages so far, which rungs count.
        run: Number of the driver that recorded the trial's latest epoch or end, counted from 1.
        notes: Notes of the sampler about the trial.
        key: Text that is the same for trials with equal parameters.
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
    run: int = 0
    notes: Mapping[str, Any] = field(default_factory=dict)
    key: str = field(init=False, repr=False)
    _by_fidelity: dict[int, Mapping[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.key = key_of(self.params)

    @cached_property
    def configuration(self) -> str:
        """Name of the trial's configuration without its seeds, which all trainings of the configuration share."""
        return configuration_digest(self.config)

    @property
    def epoch(self) -> int:
        """Last epoch that the trial has reached, or 0."""
        return int(self.rows[-1]["epoch"]) if self.rows else 0

    @property
    def seconds(self) -> float:
        """Time of all epochs, in seconds."""
        return sum(float(row["seconds"]) for row in self.rows)

    @property
    def complete(self) -> bool:
        """Return whether the trial has reached its last epoch."""
        return bool(self.rows) and bool(self.rows[-1]["last"])

    @property
    def stop_decided(self) -> bool:
        """Return whether the scheduler has decided to stop the trial."""
        return "stop" in self.decisions.values()

    @property
    def pause_decided(self) -> bool:
        """Return whether the scheduler has decided to pause the trial at its present epoch.

        The trial may still be running: its status becomes "paused" once its worker has released it.
        """
        return self.decisions.get(self.epoch) == "pause"

    @property
    def selected(self) -> Mapping[str, Any] | None:
        """Epoch that represents the trial, or None before the first epoch."""
        keep = self.config.get("train", {}).get("keep", "best")
        return selected(self.rows, keep, self.metric) if self.rows else None

    def value(self, name: str) -> float:
        """Return a metric of the selected epoch, or NaN."""
        row = self.selected
        return float(row.get(name, math.nan)) if row else math.nan

    def add(self, row: Mapping[str, Any]) -> None:
        """Add an epoch."""
        self.rows.append(row)
        if row["predicts"]:
            self._by_fidelity[row["fidelity"]] = row
            self.fidelity = max(self.fidelity, row["fidelity"])

    def at_fidelity(self, fidelity: int) -> Mapping[str, Any] | None:
        """Return the epoch of a predicting stage that has this fidelity, or None if the trial has not reached it."""
        return self._by_fidelity.get(fidelity)

    def at(self, epoch: int) -> Mapping[str, Any] | None:
        """Return the row of an epoch, or None if the trial has not reported the epoch."""
        # The first row is not epoch 1 if the trial loaded a shared first stage.
        index = epoch - int(self.rows[0]["epoch"]) if self.rows else -1
        if 0 <= index < len(self.rows) and self.rows[index]["epoch"] == epoch:
            return self.rows[index]
        return next((row for row in self.rows if row["epoch"] == epoch), None)


@dataclass(frozen=True)
class Round:
    """Round of confirmation: trainings on fresh seeds of the configurations that may be chosen.

    Attributes:
        rules: Rules whose choice is confirmed.
        stop: Probability of being the best from which a choice needs no further training.
        most_seeds: Most trainings of one configuration, its trial of the search included.
        trainings: Most trainings of the round.
        before: Number of confirmation trials before the round.
    """

    rules: tuple[str, ...]
    stop: float
    most_seeds: int
    trainings: int
    before: int

    def remaining(self, trials: int) -> int:
        """Return how many trainings the round may still start, given the number of confirmation trials of the study."""
        return self.before + self.trainings - trials


@dataclass
class StudyState:
    """State of a study.

    Attributes:
        trials: Number -> trial, in the order of suggestion.
        elapsed_before: Seconds that earlier drivers ran.
        session_start: Start of the running driver in unix seconds, or None if no driver runs.
        session_elapsed: Seconds from the start of the running driver to the last event.
        starts: Times at which drivers have started, in unix seconds.
        last_time: Time of the last event, in unix seconds.
        last_change: Number of the last event other than the start or end of a driver, 0 if there is none.
        runs: Number of drivers that have started.
        epochs: Number of epochs of all trials together.
        longest: Largest fidelity that any trial has reached.
        ended: Why the running driver ended the search before its last trial, or empty. A resume continues the search.
        warm: Trials of earlier studies that the sampler knows: `source`, `params`, `values`.
        round: Latest round of confirmation, or None.
        pace: Number of trials at once, and seconds of an epoch.
    """

    trials: dict[int, TrialState] = field(default_factory=dict)
    elapsed_before: float = 0.0
    session_start: float | None = None
    session_elapsed: float = 0.0
    starts: list[float] = field(default_factory=list)
    last_time: float = 0.0
    last_change: int = 0
    runs: int = 0
    epochs: int = 0
    longest: int = 0
    ended: str = ""
    warm: list[Mapping[str, Any]] = field(default_factory=list)
    round: Round | None = None
    pace: Pace = field(default_factory=Pace)
    _roles: dict[str, list[TrialState]] = field(default_factory=dict, repr=False)

    def of(self, role: Role) -> list[TrialState]:
        """Return the trials of a role, by number. Do not change the list."""
        return self._roles.get(role, [])

    def finished(self, role: Role) -> list[TrialState]:
        """Return the finished trials of a role, by number."""
        return [trial for trial in self.of(role) if trial.status == "finished"]

    def count(self, status: Status) -> int:
        """Return the number of trials with a status."""
        return sum(trial.status == status for trial in self.trials.values())

    def elapsed(self, now: float) -> float:
        """Return for how many seconds drivers have run the study, up to the time `now`.

        The time between two events counts as nothing if the clock was set back between them.
        """
        if self.session_start is None:
            return self.elapsed_before
        return self.elapsed_before + self.session_elapsed + max(0.0, now - self.last_time)


def selected(rows: Sequence[Mapping[str, Any]], keep: Literal["best", "last"], metric: str) -> Mapping[str, Any]:
    """Return the epoch that represents a trial.

    Args:
        rows: Epochs of the trial in order, at least one.
        keep: "best" selects the epoch with the best value of `metric`, the earliest of equal ones. "last" selects the
            last epoch.
        metric: Name of a metric such as `val_mae_all`, whose direction says which value is best. Rows without a finite
            value are skipped. If no row has one, the last row is returned.

    >>> selected([{"val_mae_all": 3.0}, {"val_mae_all": 2.0}, {"val_mae_all": 2.5}], "best", "val_mae_all")
    {'val_mae_all': 2.0}
    """
    measured = [row for row in rows if (value := row.get(metric)) is not None and math.isfinite(value)]
    if keep == "last" or not measured:
        return rows[-1]
    towards = sign(metric)
    return min(measured, key=lambda row: towards * float(row[metric]))


def fold(state: StudyState, event: Event) -> StudyState:
    """Apply an event to the state in place (copying would be slow in a long study) and return the state.

    Raises:
        DataError: If the event lacks an entry, has one of the wrong type, or names a trial that was never suggested.
    """
    try:
        _apply(state, event)
    except (KeyError, TypeError, AttributeError, AssertionError) as error:
        text = f"event {event.seq} ({event.kind}) of the study is broken, so its event log was changed or damaged"
        raise DataError(f"{text}: {type(error).__name__} {error}") from error
    return state


def _apply(state: StudyState, event: Event) -> None:
    """Apply an event to the state in place."""
    if state.session_start is not None:
        starts = event.kind == "driver" and event.payload["action"] != "end"  # after a driver that was killed
        state.session_elapsed += 0.0 if starts else max(0.0, event.time - state.last_time)
    if event.kind == "driver":
        _driver(state, event)
    elif event.kind == "warm":
        state.warm += event.payload["trials"]
    elif event.kind == "changed":
        dict(event.payload["changes"])  # only the configuration changes, see `groupdir.study.read.study_config`
    elif event.kind == "ended":
        state.ended = str(event.payload["reason"])
    elif event.kind == "confirm":
        state.round = _round(event, len(state.of("confirmation")))
    elif event.trial is None:
        raise ValueError(f"event {event.seq} ({event.kind}) must name a trial, got none")
    elif event.kind == "suggested":
        trial = state.trials[event.trial] = _suggested(event)
        state._roles.setdefault(trial.role, []).append(trial)
    else:
        _change(state.trials[event.trial], event)
        if event.kind in _PROGRESS:
            state.trials[event.trial].run = state.runs
        if event.kind == "epoch":
            state.epochs += 1
            state.longest = max(state.longest, state.trials[event.trial].fidelity)
    state.pace.add(event)
    state.last_time = event.time
    if event.kind != "driver":
        state.last_change = event.seq


def replay(events: Iterable[Event]) -> StudyState:
    """Return the state after all events."""
    state = StudyState()
    for event in events:
        fold(state, event)
    return state


def _driver(state: StudyState, event: Event) -> None:
    """Apply the start or the end of a driver. A killed driver wrote no end, so its last event counts as its end."""
    ends = event.payload["action"] == "end"
    state.elapsed_before += state.session_elapsed
    state.session_elapsed = 0.0
    state.session_start = None if ends else event.time
    state.ended = state.ended if ends else ""
    state.runs += not ends
    for trial in state.trials.values():
        trial.started &= trial.status not in ("running", "paused")  # its worker has ended with the earlier driver
    if not ends:
        state.starts.append(event.time)


def _round(event: Event, before: int) -> Round:
    """Return the round of confirmation that an event starts after some earlier confirmation trials."""
    payload = event.payload
    return Round(
        tuple(map(str, payload["rules"])), float(payload["stop"]), int(payload["most_seeds"]),
        int(payload["trainings"]), before,
    )  # fmt: skip


def _suggested(event: Event) -> TrialState:
    """Return the state of a trial that was just suggested."""
    assert event.trial is not None
    assert event.seed is not None
    names = ("role", "label", "params", "config", "digest", "metric")
    about = {name: shared(event.payload[name]) for name in names}
    return TrialState(event.trial, event.seed, **about, notes=event.payload.get("notes", {}))


def shared(value: Any) -> Any:
    """Return JSON content in which equal texts are one object.

    Every event that is read has texts of its own, and those of thousands of configurations take tens of megabytes.
    """
    if isinstance(value, dict):
        return {intern(name): shared(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shared(inner) for inner in value]
    return intern(value) if type(value) is str else value


def _change(trial: TrialState, event: Event) -> None:
    """Apply an event to the trial that it names."""
    payload = event.payload
    if event.kind == "started":
        trial.started = True
    elif event.kind == "epoch":
        metrics = {intern(name): math.nan if value is None else value for name, value in payload["metrics"].items()}
        row = {name: payload[name] for name in EPOCH_REPORT}
        trial.add({"seq": event.seq, "epoch": event.epoch, "time": event.time} | row | metrics)
    elif event.kind == "decision":
        assert event.epoch is not None
        trial.decisions[event.epoch] = payload["action"]
    elif event.kind == "checkpoint":
        trial.checkpoint, trial.checkpoint_epoch = payload["path"], event.epoch or 0
    elif event.kind == "paused":
        trial.status, trial.started = "paused", False
    elif event.kind == "promoted":
        trial.status = "running"
        if event.epoch is not None:
            trial.decisions[event.epoch] = "continue"  # else the trial would pause at this epoch again
    elif event.kind == "finished":
        trial.status, trial.checkpoint = "finished", payload.get("checkpoint")
    elif event.kind == "stopped":
        trial.status, trial.checkpoint = "stopped", None
    elif event.kind == "reopened":
        trial.status, trial.started, trial.message = "running", False, ""
    else:
        trial.status, trial.message, trial.checkpoint = "failed", payload["message"], None
