"""Choices of a study so far, as a search shows them: for each rule the trial, its value and how sure it is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from groupdir.config.space import StudyConfig
from groupdir.metrics import better
from groupdir.rules import metrics_of_rule, rules_of_objectives
from groupdir.study.state import StudyState
from groupdir.values.choice import choose
from groupdir.values.of_study import values_of
from groupdir.values.values import Values
from groupdir.values.words import chance_text, trainings_text, value_text

SHARE = 0.05
"""Largest share of a driver's time for the choices, because a driver that computes them starts no trial meanwhile."""


class Choices:
    """Texts of the choices of a study.

    They are computed again after further trainings have finished or were stopped, but only so often that this takes at
    most `SHARE` of the time. With hundreds of configurations it takes seconds.

    Args:
        config: Configuration of the study.
        clock: Function that returns a time in seconds.
    """

    def __init__(self, config: StudyConfig, clock: Callable[[], float] = time.perf_counter) -> None:
        self._config = config
        self._clock = clock
        self._ended = (-1, -1)
        self._next = -math.inf
        self._lines: list[str] = []

    def lines(self, state: StudyState) -> list[str]:
        """Return the lines of `choice_lines`.

        Args:
            state: State of the study.
        """
        ended, start = (state.count("finished"), state.count("stopped")), self._clock()
        if ended != self._ended and start >= self._next:
            self._ended = ended
            self._lines = choice_lines(self._config, state)
            end = self._clock()
            self._next = end + (end - start) * (1 / SHARE - 1)
        return self._lines


def best_values(config: StudyConfig, state: StudyState) -> dict[str, dict[str, Any] | None]:
    """Return for each objective the best configuration by its estimate, for a program to read, or None."""
    values = values_of(config, state)
    candidates = values.kept(config.search.keeps)
    best: dict[str, dict[str, Any] | None] = dict.fromkeys(config.search.objectives)
    for name in best:
        costs = values.of(name).costs[candidates]
        if np.isfinite(costs).any():
            index = int(candidates[np.nanargmin(costs)])
            value = values.of(name).value(index)
            estimate = {"value": value.mean, "low": value.low, "high": value.high}
            best[name] = {"trial": values.trials[index], **estimate, "raw": value.raw, "seeds": value.trainings}
    return best


def choice_lines(config: StudyConfig, state: StudyState) -> list[str]:
    """Return a line for each rule whose metric is an objective, and for each rule that was confirmed.

    A trial that the scheduler stopped is no candidate. A line says so if such a trial has a better value on the screen.
    """
    values = values_of(config, state)
    if not values.configurations:
        return ["best: none yet"]
    objectives = list(config.search.objectives)
    candidates, lines = values.kept(config.search.keeps), []
    confirmed = state.round.rules if state.round else ()
    for rule in dict.fromkeys([*rules_of_objectives(objectives), *confirmed]):
        choice = choose(values, rule, objectives, values.recorded, candidates)
        if choice is None:
            lines.append(f"best {rule}: none yet")
            continue
        metrics = metrics_of_rule(rule, objectives, values.recorded)
        text = ", ".join(value_text(values.of(metric).value(choice.index)) for metric in metrics)
        among = " of the finished trials" if _stopped_better(state, values, choice.index, metrics) else ""
        sure = f", best{among}" if among else ""
        if math.isfinite(choice.chance):
            sure = f", best{among} with probability {chance_text(choice.chance)}"
        seeds = trainings_text(len(values.configurations[choice.index].trainings))
        lines.append(f"best {rule}: trial {values.trials[choice.index]}, {text}, {seeds}{sure}")
    return lines


def _stopped_better(state: StudyState, values: Values, index: int, metrics: Sequence[str]) -> bool:
    """Return whether a stopped trial has a better value in some metric than the estimate of a configuration."""
    stopped = [trial for trial in state.of("search") if trial.status == "stopped"]
    estimates = {metric: values.of(metric).value(index).mean for metric in metrics}
    return any(better(metric, trial.value(metric), mean) for metric, mean in estimates.items() for trial in stopped)
