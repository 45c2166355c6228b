"""Base of all samplers, which suggest the next trial from the trials so far and nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

from groupdir.config.parameters import Space
from groupdir.config.samplers import LearnerConfig, SamplerConfig
from groupdir.config.search import SearchConfig
from groupdir.study.state import TrialState

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Suggestion:
    """Parameters of the next trial.

    Attributes:
        params: Values by parameter name.
        notes: Values that the sampler stores with the trial and reads back in later suggestions.
    """

    params: dict[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Past:
    """Inputs of a suggestion; it depends on nothing else.

    Attributes:
        space: The search space.
        search: Objectives, constraints, the sampler's options and the seed.
        trials: All search trials so far, by number.
        rungs: Epochs at which trials are compared, in ascending order.
        warm: `params` and `values` of trials of earlier studies.
        fixed: Parameters of the next trial that already have a value.
    """

    space: Space
    search: SearchConfig
    trials: Sequence[TrialState] = ()
    rungs: Sequence[int] = ()
    warm: Sequence[Mapping[str, Any]] = ()
    fixed: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


class Sampler(ABC):
    """Sampler of one trial. It is called again with another seed if an earlier trial has the same parameters.

    Args:
        past: Inputs of the suggestion.

    Attributes:
        Config: Class of the options, a subclass of `groupdir.config.samplers.SamplerConfig`.
    """

    Config: ClassVar[type[SamplerConfig]]

    def __init__(self, past: Past) -> None:
        self.past = past

    @abstractmethod
    def suggest(self, seed: Sequence[int]) -> Suggestion | None:
        """Return a suggestion, or None to take the next point of the quasi-random design.

        The result depends on `past` and the seed only.

        Args:
            seed: Integers for the random generator: the study's seed, the trial's number, the attempt.
        """


class Learner(Sampler):
    """Sampler that learns from the trials so far as soon as there are enough of them."""

    def suggest(self, seed: Sequence[int]) -> Suggestion | None:
        """Return None for the first `startup` trials, then a suggestion of the model."""
        options = self.past.search.sampler
        assert isinstance(options, LearnerConfig)
        if len(self.past.trials) + len(self.past.warm) < options.startup:
            return None
        return self.learned(seed)

    @abstractmethod
    def learned(self, seed: Sequence[int]) -> Suggestion | None:
        """Return a suggestion of the model, or None while the model has too little data. See `suggest`."""
