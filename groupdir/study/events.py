"""Events of a study's event log: their kinds, their fields, and the causes of decisions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal[
    "driver", "warm", "changed", "ended", "confirm", "suggested", "started", "epoch", "decision", "checkpoint",
    "paused", "promoted", "finished", "stopped", "failed", "reopened",
]  # fmt: skip
KINDS = get_args(Kind)
OF_STUDY: tuple[Kind, ...] = ("driver", "warm", "changed", "ended", "confirm")
"""Kinds of events that concern a study as a whole. All others name a trial."""

Cause = Literal["first", "few_peers", "rung", "waits", "not_finite", "max_t", "budget"]
"""Cause of a decision to continue, stop or pause a trial, for programs. The `reason` next to it is for people.

- first: the trial is the first at its rung, so there is no trial to compare it with.
- few_peers: the rung has too few members to compare.
- rung: the trial was compared with the others of its rung.
- waits: the trial pauses at its rung until it is promoted.
- not_finite: an objective is missing or is not a finite number.
- max_t: the trial has reached the last epoch that the scheduler gives to any trial.
- budget: the study has spent `search.max_epochs`. The study loop says this, never a scheduler.
"""
CAUSES = get_args(Cause)


@dataclass(frozen=True)
class Event:
    """Event of a study's event log.

    Attributes:
        seq: Number in the order of arrival, from 1.
        time: Time of writing, in unix seconds.
        kind: Kind of the event.
        trial: Number of the trial, or None for an event of the driver.
        seed: Seed of the trial, if the event is about an epoch.
        epoch: Number of the epoch, if the event is about an epoch, a decision or a checkpoint.
        payload: Further entries, which depend on the kind. A number that is not finite is None.
    """

    seq: int
    time: float
    kind: Kind
    trial: int | None
    seed: int | None
    epoch: int | None
    payload: Mapping[str, Any]


def without_nan(value: Any) -> Any:
    """Return the value with None for every number that is not finite, because JSON cannot hold such numbers.

    >>> without_nan({"a": float("nan"), "b": [1.0, float("inf")]})
    {'a': None, 'b': [1.0, None]}
    """
    if isinstance(value, Mapping):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
