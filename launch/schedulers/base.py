"""What a scheduler is: a decision about an epoch, from the epochs that came before it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from groupdir.search_config import SearchConfig


@dataclass(frozen=True)
class Decision:
    """What a scheduler says of an epoch.

    Attributes:
        action: Go on or end.
        reason: Why, in words, at a rung; empty where nothing was compared.
    """

    action: Literal["continue", "stop"] = "continue"
    reason: str = ""


class Scheduler(Protocol):
    """Decides which trials go on.

    Its state must follow from the calls of `decide` alone, in their order, so that a new driver gets it back by
    making the same calls with the recorded epochs.
    """

    @classmethod
    def from_config(cls, search: SearchConfig) -> Scheduler:
        """The scheduler that the `search:` section describes."""
        ...

    def decide(self, trial: int, epoch: int, metrics: Mapping[str, float]) -> Decision:
        """Takes note of an epoch and decides. Asked again for the same epoch, it says the same again."""
        ...
