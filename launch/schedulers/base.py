"""What a scheduler is: a decision about an epoch, from the epochs that came before it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from groupdir.config.search import SearchConfig
from groupdir.study.events import Cause

Action = Literal["continue", "stop", "pause"]


@dataclass(frozen=True)
class Decision:
    """What a scheduler says of an epoch.

    Attributes:
        action: Continue, stop, or pause until the trial is promoted.
        reason: Why, for people. An empty one is not logged: nothing was compared at this epoch.
        cause: Why, for programs, which must never read the reason.
    """

    action: Action = "continue"
    reason: str = ""
    cause: Cause = "rung"


class Scheduler(Protocol):
    """Decides which trials go on.

    Its state must follow from the calls of `decide` and `promote` alone, in their order, so that a new driver gets it
    back by making the same calls with what is recorded.

    A class that the registry names also has `Config`: its options, a subclass of
    `groupdir.config.schedulers.SchedulerConfig`.
    """

    @classmethod
    def from_config(cls, search: SearchConfig) -> Scheduler:
        """The scheduler that the `search:` section describes."""
        ...

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """Take note of an epoch and decide. Asked again for the same epoch, it says the same again.

        Args:
            trial: The trial.
            epoch: The fidelity of the epoch: epochs of predicting stages, of which this is one.
            row: What the trial has reported.
        """
        ...

    def rung_epochs(self, last: int) -> Iterable[int]:
        """The epochs below `last` at which trials are compared, upwards."""
        ...

    def promotable(self, ready: Callable[[Hashable], bool], last: bool = False) -> tuple[Hashable, int] | None:
        """A paused trial that may go on, of those that are ready to, and its rung; or None.

        Args:
            ready: Whether a trial can go on.
            last: Whether nobody else will come to a rung, so that one of few members is as full as it will be.
        """
        ...

    def promote(self, trial: Hashable, epoch: int) -> None:
        """Takes note that a paused trial goes on."""
        ...


def decision_on(scheduler: Scheduler, trial: Hashable, row: Mapping[str, Any]) -> Decision:
    """Return what a scheduler says of an epoch. One of a stage that does not predict is not shown to the scheduler.

    Args:
        scheduler: Any scheduler.
        trial: The trial.
        row: Its epoch, with the entries `predicts` and `fidelity`.
    """
    return scheduler.decide(trial, row["fidelity"], row) if row["predicts"] else Decision()


class NeverPauses:
    """What a scheduler without pauses says of them."""

    def promotable(self, ready: Callable[[Hashable], bool], last: bool = False) -> tuple[Hashable, int] | None:
        """Nobody waits."""
        return None

    def promote(self, trial: Hashable, epoch: int) -> None:
        """Refuses.

        Raises:
            ValueError: Always: no trial of this scheduler waits.
        """
        raise ValueError(f"trial {trial} cannot be promoted at epoch {epoch}: this scheduler pauses nobody")
