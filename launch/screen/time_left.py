"""Time left of a study: the epochs that are still expected, distributed over the workers that run trials."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from statistics import fmean

from groupdir.config.space import StudyConfig
from groupdir.config.stage import epochs_of
from groupdir.config.trial import TrialConfig
from groupdir.files.study_files import Role
from groupdir.study.state import StudyState, TrialState
from launch.screen.counts import search_ended
from launch.screen.survival import Survival, makespan

SHARE = 0.02
"""Largest share of a driver's time for the estimate."""

LEAST = 1.0  # seconds between two estimates; in between, the last one is counted down

Job = tuple[float, float]
"""Epochs in stages that do not predict, and in stages that do."""


class TimeLeft:
    """Estimate of the seconds that a study still takes.

    The epochs that remain are those of the open trials and of the trials that are not suggested yet, see `Survival`.
    The trainings of the confirmation and the ablations run to their end. All of these are distributed over as many
    workers as have run at once, one phase after another. The starts of trials and phases are added. All durations come
    from the event log. The estimate is too high for a confirmation that ends before its largest number of trainings,
    and for a search that converges.

    Args:
        config: Configuration of the study.
        clock: Function that returns a time in seconds, to measure how long an estimate takes.
    """

    def __init__(self, config: StudyConfig, clock: Callable[[], float] = time.perf_counter) -> None:
        self._config = config
        self._clock = clock
        self._stages: dict[int, tuple[int, int]] = {}
        self._next = -math.inf
        self._last = (math.nan, 0.0)

    def seconds(self, state: StudyState, now: float) -> float:
        """Return the seconds that are left, NaN before the first epoch and after the last trial.

        Args:
            state: State of the study.
            now: Present time, in unix seconds.
        """
        start = self._clock()
        if start >= self._next:
            self._last = self.estimate(state, now), now
            end = self._clock()
            self._next = end + max(LEAST, (end - start) * (1 / SHARE - 1))
        seconds, at = self._last
        return max(0.0, seconds - (now - at)) if math.isfinite(seconds) else math.nan

    def estimate(self, state: StudyState, now: float) -> float:
        """Return a new estimate; see `seconds`."""
        if not state.epochs or not state.pace.workers:
            return math.nan
        search, epochs = (0.0, 0.0) if search_ended(self._config, state) else self._search(state, now)
        first, total = self._usual
        confirmations = [(first, total)] * self._confirmations(state, epochs)
        ablations = [(first, total)] * max(0, self._config.search.ablation_trials - len(state.of("ablation")))
        seconds = search + self._to_the_end(state, "confirmation", confirmations, now)
        seconds += self._to_the_end(state, "ablation", ablations, now)
        hours = self._config.search.max_hours
        if hours is not None and state.session_start is not None:
            seconds = min(seconds, max(0.0, state.session_start + 3600 * hours - now))
        return seconds if seconds > 0 else math.nan

    def _search(self, state: StudyState, now: float) -> tuple[float, float]:
        """Return the seconds and the epochs that the search still takes."""
        total = self._usual[1]
        survival = Survival(self._config, state, total)
        first_stage = self._first_stage(state)
        jobs: list[Job] = [(first_stage if new else 0.0, epochs) for new, epochs in survival.new_trials(total)]
        rests: dict[int, Job] = {}
        for trial in state.of("search"):
            if trial.status == "running":
                first, epochs_of_trial = self._stages_of(trial)
                rests[trial.number] = _first_rest(trial, first), survival.expected(trial.fidelity, epochs_of_trial)
        epochs = sum(map(sum, [*jobs, *rests.values()]))
        seconds = self._laid_out(state, rests, jobs, now)
        budget = self._config.search.max_epochs
        if budget is not None and epochs > (rest := max(0, budget - state.epochs)):
            seconds, epochs = seconds * rest / epochs, rest
        return seconds, epochs

    def _to_the_end(self, state: StudyState, role: Role, jobs: Sequence[Job], now: float) -> float:
        """Return the seconds of a phase whose trials run to their end."""
        rests: dict[int, Job] = {}
        for trial in state.of(role):
            if trial.status == "running":
                first, total = self._stages_of(trial)
                rests[trial.number] = _first_rest(trial, first), total - trial.fidelity
        begins = bool(rests or jobs) and not any(trial.rows for trial in state.of(role))
        return self._laid_out(state, rests, jobs, now) + begins * state.pace.first_start

    def _laid_out(self, state: StudyState, rests: dict[int, Job], jobs: Iterable[Job], now: float) -> float:
        """Return the seconds until open trials and further jobs have ended.

        Args:
            state: State of the study.
            rests: Remaining epochs of the open trials, by number.
            jobs: Epochs of the jobs to come.
            now: Present time, in unix seconds.
        """
        pace = state.pace
        first, predicting = pace.seconds(predicts=False), pace.seconds(predicts=True)
        busy, waiting, start = [], [], pace.start
        for number, (before, after) in rests.items():
            predicting_of_trial = _own_seconds(state.trials[number], state) or predicting
            seconds, since = before * first + after * predicting_of_trial, pace.since(number)
            if since is None:
                waiting.append(start + seconds)
            else:
                busy.append(max(0.0, seconds - min(now - since, first if before else predicting_of_trial)))
        waiting += [start + before * first + after * predicting for before, after in jobs]
        free = [*busy, *[0.0] * (pace.workers - len(busy))]
        return makespan(free, waiting)

    def _confirmations(self, state: StudyState, epochs: float) -> int:
        """Return the largest number of confirmations that are not suggested yet.

        Args:
            state: State of the study.
            epochs: Epochs that the search still takes.
        """
        options = self._config.search.confirm
        if state.of("ablation"):
            return 0
        if state.round is not None:
            return max(0, state.round.remaining(len(state.of("confirmation"))))
        if options is None:
            return 0
        spent = sum(len(trial.rows) for trial in state.of("search")) + epochs
        return math.ceil(options.share * spent / sum(self._usual))

    def _first_stage(self, state: StudyState) -> float:
        """Return the epochs of the first stage that a new trial trains itself, fewer than all if trials share it."""
        first = self._usual[0]
        trained = [trial for trial in state.of("search") if trial.fidelity]
        if not first or not trained or not self._config.search.share_stages:
            return first
        return fmean(len(trial.rows) - trial.fidelity for trial in trained)

    @cached_property
    def _usual(self) -> tuple[int, int]:
        """Epochs of a trial that is not suggested yet, in stages that do not predict and in stages that do."""
        corners = self._config.space.corner_stages
        first = fmean(epochs_of(stages, predicts=False) for stages in corners)
        return round(first), round(fmean(map(epochs_of, corners)))

    def _stages_of(self, trial: TrialState) -> tuple[int, int]:
        """Return the epochs of a trial, in stages that do not predict and in stages that do."""
        if trial.number not in self._stages:
            stages = TrialConfig.from_dict(trial.config, f"trial {trial.number}").stages
            self._stages[trial.number] = epochs_of(stages, predicts=False), epochs_of(stages)
        return self._stages[trial.number]


def _first_rest(trial: TrialState, first: int) -> int:
    """Return the remaining epochs of a trial in stages that do not predict."""
    return 0 if trial.fidelity else max(0, first - trial.epoch)


def _own_seconds(trial: TrialState, state: StudyState) -> float:
    """Return the seconds of an epoch of a trial that predicts, from its own epochs, or 0 before two of them."""
    seconds = [float(row["seconds"]) for row in trial.rows if row["predicts"]]
    return fmean(seconds) * state.pace.overhead if len(seconds) > 1 else 0.0
