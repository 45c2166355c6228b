"""Confirmation: further trainings of the contenders for each choice of a study, on fresh seeds."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from groupdir.config.confirmation import ConfirmationConfig
from groupdir.config.space import StudyConfig
from groupdir.config.trial import TrialConfig
from groupdir.errors import DataError
from groupdir.rules import metrics_of_rule, rules_of_objectives
from groupdir.seeds import CONFIRMATION
from groupdir.study.state import Round, StudyState, TrialState
from groupdir.values.choice import choose, scores
from groupdir.values.of_study import values_of
from groupdir.values.values import Values
from launch.control.training_gain import expected_gains
from launch.study.new_trial import record_trial
from launch.study.study import Study
from launch.study.trial_seeds import later_seeds

SMALLEST_GAIN = 1e-3
"""Gain above which a training is worth its cost, summed over the undecided rules. See `expected_gains` for its unit."""


def begin_round(study: Study, options: ConfirmationConfig, trainings: int | None = None) -> None:
    """Write the start of a round of confirmation to the event log.

    Args:
        study: Study whose search has ended.
        options: Options of the round.
        trainings: Most trainings of the round. None: as many as `options.share` allows, rounded up.

    Raises:
        DataError: If no trial of the search has finished.
    """
    finished = study.state.finished("search")
    if not finished:
        raise DataError(f"{study.folder}: no trial of the search has finished, so there is nothing to confirm")
    if trainings is None:
        trainings = affordable(study.state, finished, options.share)
    rules = options.rules or rules_of_objectives(list(study.config.search.objectives))
    payload: dict[str, Any] = {"trainings": trainings, "rules": list(rules)}
    study.append("confirm", payload=payload | {"stop": options.stop, "most_seeds": options.most_seeds})


def affordable(state: StudyState, finished: Sequence[TrialState], share: float) -> int:
    """Return the number of trainings that a share of the search's epochs pays for, rounded up.

    Args:
        state: State of the study.
        finished: Finished trials of the search, at least one. The longest one is the price of a training.
        share: Share of the epochs.
    """
    spent = sum(len(trial.rows) for trial in state.of("search"))
    return math.ceil(share * spent / max(len(trial.rows) for trial in finished))


def next_training(config: StudyConfig, state: StudyState) -> TrialState | None:
    """Return the trial of the search whose configuration is trained next, or None if the round needs no more trainings.

    A round ends when each of its rules has a choice that is the best with probability `stop`, when no training has a
    gain above `SMALLEST_GAIN`, when every contender has `most_seeds` trainings, or when its trainings are used up.
    The next training is the one with the largest gain over the undecided rules, see `expected_gains`. All of this
    follows from the event log, so a resumed confirmation makes the same decisions.

    Args:
        config: Configuration of the study.
        state: State of the study.
    """
    current, trials = state.round, state.of("confirmation")
    if current is None or current.remaining(len(trials)) <= 0:
        return None
    values = values_of(config, state)
    asked = Counter(trial.configuration for trial in trials)
    names = {each.trainings[0].configuration: index for index, each in enumerate(values.configurations)}
    searched = [len(each.trainings) - each.confirmed for each in values.configurations]
    running = Counter(names[trial.configuration] for trial in trials if trial.status in ("running", "paused"))
    free = {
        index for name, index in names.items() if searched[index] + asked[name] < current.most_seeds
    }  # a failed training counts, so that a configuration that always fails is not trained without end
    gains = _gains(config, values, current, running)
    best = max(
        (index for index, gain in gains.items() if index in free and gain > SMALLEST_GAIN),
        key=lambda index: (gains[index], -len(values.configurations[index].trainings) - running[index], -index),
        default=None,
    )
    return None if best is None else state.trials[values.configurations[best].trial]


def _gains(config: StudyConfig, values: Values, current: Round, running: Counter[int]) -> dict[int, float]:
    """Return the gain of a training of each contender, summed over the rules that are undecided."""
    objectives = list(config.search.objectives)
    candidates = values.kept(config.search.keeps)
    gains: defaultdict[int, float] = defaultdict(float)
    for rule in current.rules:
        metrics = metrics_of_rule(rule, objectives, values.recorded)
        choice = choose(values, rule, objectives, values.recorded, candidates)
        if choice is None or choice.chance >= current.stop:
            continue
        scored = scores(values, metrics, candidates)
        if any(values.of(metric).posterior is None for metric in metrics):  # too few trainings: the best two in turn
            order = [int(index) for index in scored.candidates[scored.expected.argsort(kind="stable")][:2]]
            for index in order:
                gains[index] += 1.0
        else:
            for index, gain in expected_gains(values, scored, running).items():
                gains[index] += gain
    return gains


def suggest_confirmation(study: Study, metric: str) -> int | None:
    """Add the next confirmation trial to the event log and return its number, or None if the round needs no more.

    The confirmations of a configuration have the seeds 0, 1, 2 and so on of the range for confirmations, so those of
    different configurations have the same seeds.

    Args:
        study: The study.
        metric: Metric whose best value selects the epoch of a trial.
    """
    base = next_training(study.config, study.state)
    if base is None:
        return None
    seed = seed_of_next(study.config, study.state, base)
    config = TrialConfig.from_dict(base.config, f"trial {base.number}").with_seed(seed)
    return record_trial(study, config, base.params, "confirmation", f"of trial {base.number}", metric)


def seed_of_next(config: StudyConfig, state: StudyState, base: TrialState) -> int:
    """Return the seed of the next confirmation of a trial's configuration."""
    earlier = sum(trial.configuration == base.configuration for trial in state.of("confirmation"))
    return later_seeds(config, CONFIRMATION, earlier + 1)[-1]


def unfinished_round(state: StudyState, config: StudyConfig) -> bool:
    """Return whether a round of confirmation is under way."""
    if any(trial.status in ("running", "paused") for trial in state.of("confirmation")):
        return True
    return next_training(config, state) is not None


def ended_round(state: StudyState, config: StudyConfig) -> str:
    """Return why the latest round of confirmation has ended, or an empty text if none has ended."""
    if state.round is None or unfinished_round(state, config):
        return ""
    used = len(state.of("confirmation")) - state.round.before
    if used >= state.round.trainings:
        return f"the confirmation has used its {used} training{'s' * (used != 1)}"
    missing = rules_without_choice(config, state, state.round.rules)
    why = []
    if len(missing) < len(state.round.rules):
        sure = f"each choice is the best with probability {state.round.stop:g}"
        why.append(f"{sure}, its rivals have {state.round.most_seeds} seeds, or more seeds would hardly improve it")
    if missing:
        why.append(f"no finished trial satisfies the constraints and has all metrics of rule {', '.join(missing)}")
    return f"the confirmation ended after {used} of {state.round.trainings} trainings: {'; '.join(why)}"


def rules_without_choice(config: StudyConfig, state: StudyState, rules: Sequence[str]) -> list[str]:
    """Return the rules that can choose no configuration of a study."""
    values = values_of(config, state)
    objectives, candidates = list(config.search.objectives), values.kept(config.search.keeps)
    return [rule for rule in rules if choose(values, rule, objectives, values.recorded, candidates) is None]
