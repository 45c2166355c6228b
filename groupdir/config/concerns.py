"""Concerns about a study that its YAML alone shows: plans that cannot work, and plans that make no sense.

A plan that cannot work is refused. A plan that makes no sense, but runs, is only warned of. Neither is part of the
validation in `load_space`, so that the results of an earlier study with such a plan can still be read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from groupdir.config.domains import Choice, Domain, IntRange
from groupdir.config.fit import misfits
from groupdir.config.samplers import LearnerConfig
from groupdir.config.schedulers import ParetoHalvingConfig, RungsConfig
from groupdir.config.space import StudyConfig
from groupdir.config.stage import epochs_of
from groupdir.errors import ConfigError

SHORTEST_HOURS = 1 / 60
"""Limit of the time below which a search hardly trains an epoch, because starting its processes takes longer."""


@dataclass(frozen=True)
class Concern:
    """Concern about a study.

    Attributes:
        address: Dotted address in the YAML.
        text: What is wrong, the value found, and what to do.
        fatal: Whether the study must not start.
    """

    address: str
    text: str
    fatal: bool = True


Check = Callable[[StudyConfig], Iterator[Concern]]


def plan_concerns(study: StudyConfig) -> list[Concern]:
    """Return the concerns about a study that follow from its YAML alone, each once."""
    return list(dict.fromkeys(concern for check in CHECKS for concern in check(study)))


def _unfit(study: StudyConfig) -> Iterator[Concern]:
    """Yield the parts of trials that do not fit each other."""
    for config in study.space.corner_trials:
        for address, text in misfits(config).items():
            yield Concern(address, text)


def _several_gpus(study: StudyConfig) -> Iterator[Concern]:
    """Yield a request for several GPUs, of which a trial would use one."""
    gpu = study.search.resources.gpu
    shares = gpu.values() if isinstance(gpu, dict) else [gpu]
    most = max((share for share in shares if not isinstance(share, str)), default=0)
    if most > 1:
        text = f"must be at most 1, because a trial trains on one GPU and the others would be idle, got {most:g}"
        yield Concern("search.resources.gpu", text)


def _repeated_trials(study: StudyConfig) -> Iterator[Concern]:
    """Yield a space with fewer configurations than trials."""
    trials, parameters = study.search.trials, study.space.parameters
    count = math.prod(map(values_of, parameters.values()))
    if count >= trials:
        return
    if study.search.seeds == "shared" and not parameters:
        text = f"all {trials} trials would be the same training: leave a value open, set trials to 1, or seeds to own"
        yield Concern("search.trials", text)
        return
    cause = "the file leaves no value open" if not parameters else f"the space has only {count:g} configurations"
    remedy = "leave a value open" if not parameters else f"set trials to {count:g}, or widen the space"
    text = f"{cause}, so the {trials} trials repeat configurations with other seeds: unless you want this, {remedy}"
    yield Concern("search.trials", text, fatal=False)


def values_of(domain: Domain) -> float:
    """Return the number of values of a domain.

    >>> values_of(Choice((1, 2, 5))), values_of(IntRange(2, 10, 4))
    (3, 3)
    """
    if isinstance(domain, Choice):
        return len(domain.values)
    return len(range(domain.low, domain.high + 1, domain.step)) if isinstance(domain, IntRange) else math.inf


def _rungs(study: StudyConfig) -> Iterator[Concern]:
    """Yield a scheduler that compares trials at rungs and can stop none of them."""
    scheduler, at = study.search.scheduler, "search.scheduler"
    if not isinstance(scheduler, RungsConfig):
        return
    longest = max(map(epochs_of, study.space.corner_stages))
    if scheduler.grace_period >= longest:
        text = (
            f"no trial is stopped early, because the first rung (grace_period {scheduler.grace_period}) is not below "
            f"the {longest} epochs of a trial: lower grace_period, or set the scheduler to none"
        )
        yield Concern(f"{at}.grace_period", text, fatal=False)
    if isinstance(scheduler, ParetoHalvingConfig) and scheduler.min_peers > study.search.trials:
        text = (
            f"min_peers {scheduler.min_peers} is above the {study.search.trials} trials, so no trial is stopped early"
        )
        yield Concern(f"{at}.min_peers", f"{text}: lower min_peers, or set the scheduler to none", fatal=False)


def _sampler(study: StudyConfig) -> Iterator[Concern]:
    """Yield a sampler that never learns, and a nested search with one outer point."""
    search = study.search
    if isinstance(search.sampler, LearnerConfig) and search.sampler.startup >= search.trials > 1:
        text = (
            f"{search.sampler.name} learns only after its first {search.sampler.startup} trials, got {search.trials} "
            "trials: lower startup, raise trials, or take random or qmc"
        )
        yield Concern("search.sampler.startup", text, fatal=False)
    if search.nested is not None and search.nested.inner >= search.trials:
        text = f"only one outer point is tried, because it has {search.nested.inner} of the {search.trials} trials"
        yield Concern("search.nested.inner", f"{text}: lower inner or raise trials", fatal=False)


def _limits(study: StudyConfig) -> Iterator[Concern]:
    """Yield limits that end the search before a trial can finish, or that never apply."""
    search = study.search
    first = 0 if search.share_stages else 1
    shortest = min(epochs_of(each) + first * epochs_of(each, predicts=False) for each in study.space.corner_stages)
    if search.max_epochs is not None and search.max_epochs < shortest:
        text = f"must be at least {shortest}, the epochs of the shortest trial, so that a trial can finish"
        yield Concern("search.max_epochs", f"{text}, got {search.max_epochs}")
    if search.max_hours is not None and search.max_hours < SHORTEST_HOURS:
        text = f"{search.max_hours * 3600:.3g} s hardly suffice to start, so the search may end before its first epoch"
        yield Concern("search.max_hours", f"{text}: raise the limit", fatal=False)
    if search.convergence is not None and search.convergence.trials >= search.trials:
        text = f"never applies, because it waits for more than {search.convergence.trials} of {search.trials} trials"
        yield Concern("search.convergence.trials", f"{text}: lower this number", fatal=False)
    if search.confirm is not None and (count := math.ceil(search.confirm.share * search.trials)) < 2:
        text = f"pays for {count} training, but a comparison of two configurations needs two: raise the share"
        yield Concern("search.confirm.share", text, fatal=False)


def _ablations(study: StudyConfig) -> Iterator[Concern]:
    """Yield ablations that change nothing."""
    if not study.search.ablations:
        return
    corners = study.space.corner_trials
    for label, changes in study.search.ablations.items():
        try:
            same = all(config.replaced(changes).digest == config.digest for config in corners)
        except ConfigError:  # the change fits only some trials; `load_space` has checked it for the first corner
            continue
        if same:
            text = (
                "changes nothing, because every trial has these values already: change a value, or remove the ablation"
            )
            yield Concern(f"search.ablations.{label}", text, fatal=False)


CHECKS: tuple[Check, ...] = (_unfit, _several_gpus, _repeated_trials, _rungs, _sampler, _limits, _ablations)
"""All checks of a study that need its YAML alone."""
