"""A sampler: what suggests the next trial, from the trials so far and nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

from groupdir.config.samplers import LearnerConfig, SamplerConfig
from groupdir.config.search import SearchConfig
from groupdir.config.space import Space
from groupdir.study.state import TrialState

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Suggestion:
    """Parameters of the next trial.

    Attributes:
        params: Name of an open parameter -> its value.
        notes: What the sampler wants to read again in the trial's history.
    """

    params: dict[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Past:
    """All that a suggestion may depend on.

    Attributes:
        space: What is open.
        search: Objectives, constraints, the sampler's options and the seed.
        trials: All search trials so far, by number.
        rungs: The epochs at which trials are compared, in ascending order.
        warm: Trials of earlier studies: `params` and `values`.
        fixed: Parameters of the next trial whose values are given.
    """

    space: Space
    search: SearchConfig
    trials: Sequence[TrialState] = ()
    rungs: Sequence[int] = ()
    warm: Sequence[Mapping[str, Any]] = ()
    fixed: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


class Sampler(ABC):
    """Sampler of one suggestion: it is made for the next trial, and asked until its parameters are new.

    Args:
        past: What the suggestion may depend on.

    Attributes:
        Config: The options, a subclass of `groupdir.config.samplers.SamplerConfig`.
    """

    Config: ClassVar[type[SamplerConfig]]

    def __init__(self, past: Past) -> None:
        self.past = past

    @abstractmethod
    def suggest(self, seed: Sequence[int]) -> Suggestion | None:
        """Return a suggestion that follows from `past` and the seed; None for the next point of a quasi-random design.

        Args:
            seed: Whole numbers that seed a generator: the study's seed, the trial's number, the attempt.
        """


class Learner(Sampler):
    """Sampler that learns from the trials so far, once there are enough."""

    def suggest(self, seed: Sequence[int]) -> Suggestion | None:
        """Return None until `startup` trials have been suggested, then what was learned."""
        options = self.past.search.sampler
        assert isinstance(options, LearnerConfig)
        if len(self.past.trials) + len(self.past.warm) < options.startup:
            return None
        return self.learned(seed)

    @abstractmethod
    def learned(self, seed: Sequence[int]) -> Suggestion | None:
        """Return a suggestion of the model, or None while the model has too few data. See `suggest`."""
