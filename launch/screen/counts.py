"""Counts of a study's trials: those of the search, its confirmations and its ablations, each by their state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from groupdir.config.space import StudyConfig
from groupdir.files.study_files import Role
from groupdir.study.state import StudyState, TrialState
from launch.control.ablations import base_of
from launch.control.confirmation import unfinished_round
from launch.control.stop_rules import enough

Standing = Literal["finished", "stopped", "failed", "paused", "running", "waiting"]
STANDINGS: tuple[Standing, ...] = ("finished", "stopped", "failed", "paused", "running", "waiting")
"""States of a trial on the screen. A trial waits until a worker trains it."""


def standing_of(trial: TrialState, active: bool = True) -> Standing:
    """Return the state of a trial.

    Args:
        trial: The trial.
        active: Whether a driver runs the study. Without one, no trial runs.
    """
    return "waiting" if trial.status == "running" and not (trial.started and active) else trial.status


@dataclass(frozen=True)
class PhaseCounts:
    """Counts of one phase of a study.

    Attributes:
        role: Role of the trials of the phase.
        planned: Number of trials of the phase, or their largest number while a confirmation is under way.
        counts: State -> number of trials. Trials that are not suggested yet count as waiting, so that the counts add up
            to `planned`.
        at_most: Whether the phase may end before its planned number is reached.
    """

    role: Role
    planned: int
    counts: Mapping[Standing, int]
    at_most: bool = False

    def __str__(self) -> str:
        """Return the counts that are not zero as text."""
        name = "trial" if self.role == "search" else self.role
        total = f"{'up to ' if self.at_most else ''}{self.planned:,} {name}{'s' * (self.planned != 1)}"
        counts = ", ".join(f"{count:,} {standing}" for standing, count in self.counts.items() if count)
        return f"{total}: {counts}" if counts else total


def phase_counts(
    config: StudyConfig, state: StudyState, *, active: bool = True, settled: bool = False
) -> list[PhaseCounts]:
    """Return the counts of the search, and of the confirmation and the ablations if the study has them.

    Args:
        config: Configuration of the study.
        state: State of the study.
        active: Whether a driver runs the study.
        settled: Whether to find out if the confirmation has ended before its largest number of trainings, and if the
            ablations have a trial to change. This takes seconds with hundreds of trials.
    """
    phases = [_phase(state, "search", _planned_trials(config, state), active)]
    if state.round is not None or state.of("confirmation"):
        phases.append(_confirmation(config, state, active, settled))
    if planned := _planned_ablations(config, state, settled):
        phases.append(_phase(state, "ablation", planned, active))
    return phases


def search_ended(config: StudyConfig, state: StudyState) -> bool:
    """Return whether the search starts no further trial and waits for none."""
    trials = state.of("search")
    if state.round is not None or state.of("ablation"):
        return True
    if not trials or any(trial.status in ("running", "paused") for trial in trials):
        return False
    return len(trials) >= config.search.trials or bool(enough(config.search, state))


def _planned_trials(config: StudyConfig, state: StudyState) -> int:
    """Return the number of trials of the search. A search that ended early has no more than it started."""
    return len(state.of("search")) if search_ended(config, state) else config.search.trials


def _confirmation(config: StudyConfig, state: StudyState, active: bool, settled: bool) -> PhaseCounts:
    trials, current = state.of("confirmation"), state.round
    most = current.before + current.trainings if current is not None else len(trials)
    ended = bool(state.of("ablation")) or (settled and not unfinished_round(state, config))
    planned = len(trials) if ended else max(most, len(trials))
    return _phase(state, "confirmation", planned, active, at_most=planned > len(trials))


def _planned_ablations(config: StudyConfig, state: StudyState, settled: bool) -> int:
    planned = max(config.search.ablation_trials, len(state.of("ablation")))
    if settled and not state.of("ablation") and search_ended(config, state) and base_of(config, state) is None:
        return 0
    return planned


def _phase(state: StudyState, role: Role, planned: int, active: bool, at_most: bool = False) -> PhaseCounts:
    counts: dict[Standing, int] = dict.fromkeys(STANDINGS, 0)
    trials = state.of(role)
    for trial in trials:
        counts[standing_of(trial, active)] += 1
    counts["waiting"] += max(0, planned - len(trials))
    return PhaseCounts(role, max(planned, len(trials)), counts, at_most)
